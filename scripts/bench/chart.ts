import type { Outcome } from './contests.ts';
import { OPERATION_NAMES, OPERATIONS } from './designs.ts';
import type { Machine } from './machine.ts';
import { count } from './page.ts';
import { type Figures, find } from './speed.ts';

const [WIDTH, LEFT, RIGHT, LINE] = [760, 80, 650, 17];
const CALLERS = 32;
const COLOURS = { store: 'this package', right: 'no wrong outcome', wrong: 'wrong outcomes' };

/** Wrong outcomes of each design, and below them its calls per second. The picture follows the reader's light or dark page. */
export function chart(outcomes: readonly Outcome[], all: readonly Figures[], machine: Machine): string {
  const parts: string[] = [];
  let y = 8;
  const text = (content: string, style = '', x = 8) =>
    parts.push(`<text class="${style}" x="${x.toFixed(1)}" y="${y + 11}">${content}</text>`);
  const box = (kind: string, x: number, width: number) =>
    parts.push(`<rect class="${kind}" x="${x}" y="${y}" width="${width.toFixed(1)}" height="${LINE - 4}"/>`);
  const line = (content: string, style = '', height = LINE) => {
    text(content, style);
    y += height;
  };
  const bar = (name: string, share: number, label: string) => {
    const wrong = outcomes.find((one) => one.name === name)?.wrong;
    const [strong, width] = [name === 'store' ? 'strong' : '', share * (RIGHT - LEFT)];
    text(name, `name ${strong}`, LEFT - 8);
    box(name === 'store' ? 'store' : wrong === 0 ? 'right' : 'wrong', LEFT, width);
    text(label, strong, LEFT + width + 6);
    y += LINE;
  };
  for (const [at, [kind, meaning]] of Object.entries(COLOURS).entries()) {
    box(kind, 8 + at * 150, LINE - 4);
    text(meaning, '', 28 + at * 150);
  }
  y += 30;
  line('Contests between four callers that were decided wrongly', 'title', 24);
  for (const { name, wrong, contests } of outcomes) {
    bar(name, wrong / contests, `${count(wrong)} of ${count(contests)}`);
  }
  y += LINE;
  line(`Calls per second with ${CALLERS} callers, the server on a core of its own`, 'title', 24);
  const figures = all.filter(({ callers }) => callers === CALLERS);
  const most = Math.max(...figures.map(({ perSecond }) => perSecond));
  for (const operation of OPERATIONS) {
    line(OPERATION_NAMES[operation], 'strong');
    for (const name of new Set(figures.map((one) => one.name))) {
      const { perSecond } = find(figures, name, operation, CALLERS);
      bar(name, perSecond / most, count(perSecond));
    }
    y += 10;
  }
  for (const said of [`${machine.date}: ${machine.hardware}`, machine.software]) line(said);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 8}" width="${WIDTH}" height="${y + 8}" role="img" aria-label="Wrong outcomes and calls per second">
<style>
  text { font: 12px system-ui, sans-serif; fill: #3d444d; }
  .title { font-size: 15px; } .title, .strong { font-weight: 600; } .name { text-anchor: end; }
  .store { fill: #1a7f5a; } .right { fill: #3b7dd8; } .wrong { fill: #c9884b; }
  @media (prefers-color-scheme: dark) { text { fill: #d1d7e0; } .store { fill: #3fb98a; } .right { fill: #6ea8f5; } .wrong { fill: #b5763c; } }
</style>
${parts.join('\n')}
</svg>
`;
}
