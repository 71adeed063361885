import type { Outcome } from './contests.ts';
import { OPERATION_NAMES, OPERATIONS } from './conversations.ts';
import type { Machine } from './machine.ts';
import { type Figures, find } from './race.ts';
import { count } from './report.ts';

const [WIDTH, LEFT, RIGHT, BAR] = [760, 72, 690, 13];

const text = (x: number, y: number, content: string, style = '') =>
  `<text class="${style}" x="${x.toFixed(1)}" y="${y}">${content}</text>`;

/** A bar with its name before it and its value behind it; `spread` is where a line over its end begins and ends. */
function bar(y: number, name: string, kind: string, end: number, label: string, spread?: [from: number, to: number]) {
  const [from = end, to = end] = spread ?? [];
  const line = `<path class="spread" d="M${from.toFixed(1)} ${y + 6.5}H${to.toFixed(1)}M${from.toFixed(1)} ${y + 3}v7M${to.toFixed(1)} ${y + 3}v7"/>`;
  return [
    text(LEFT - 8, y + 11, name, `name ${kind === 'store' ? 'strong' : ''}`),
    `<rect class="${kind}" x="${LEFT}" y="${y}" width="${(end - LEFT).toFixed(1)}" height="${BAR}"/>`,
    spread ? line : '',
    text(to + 6, y + 11, label, name === 'store' ? 'strong' : ''),
  ].join('\n');
}

/** Wrong outcomes of each design, and below them its calls per second. The picture follows the reader's light or dark page. */
export function chart(
  outcomes: readonly Outcome[],
  figures: readonly Figures[],
  callers: number,
  machine: Machine,
): string {
  const kindOf = (name: string) =>
    name === 'store' ? 'store' : outcomes.some((one) => one.name === name && one.wrong === 0) ? 'right' : 'wrong';
  const scale = (most: number) => (value: number) => LEFT + (value / most) * (RIGHT - LEFT);
  const parts: string[] = [];
  let y = 24;
  const heading = (content: string, style: string, height: number) => {
    parts.push(text(0, y, content, style));
    y += height;
  };
  heading('Contests between four callers that were decided wrongly', 'title', 14);
  const wrongs = scale(1.18);
  for (const { name, wrong, contests } of outcomes) {
    parts.push(bar(y, name, kindOf(name), wrongs(wrong / contests), `${count(wrong)} of ${count(contests)}`));
    y += BAR + 3;
  }
  y += 26;
  heading(`Calls per second with ${callers} callers, the server on a core of its own`, 'title', 20);
  const speed = scale(Math.max(...figures.filter((one) => one.callers === callers).map(({ high }) => high)) * 1.02);
  for (const operation of OPERATIONS) {
    heading(OPERATION_NAMES[operation], 'strong', 6);
    for (const name of new Set(figures.map((one) => one.name))) {
      const { perSecond, low, high } = find(figures, name, operation, callers);
      parts.push(bar(y, name, kindOf(name), speed(perSecond), count(perSecond), [speed(low), speed(high)]));
      y += BAR + 3;
    }
    y += 18;
  }
  const key = (kind: string, at: number, label: string) =>
    `<rect class="${kind}" x="${at}" y="${y - 8}" width="12" height="12"/>${text(at + 17, y + 3, label)}`;
  parts.push(
    key('store', 0, 'this package'),
    key('right', 120, 'no wrong outcome'),
    key('wrong', 260, 'wrong outcomes'),
  );
  y += 24;
  heading('Bars of speed are medians of the turns; half of the turns lie within the lines.', '', 17);
  heading(`${machine.date}: ${machine.hardware}`, '', 17);
  heading(machine.software, '', 10);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="Wrong outcomes and calls per second">
<style>
  text { font: 12px system-ui, sans-serif; fill: #3d444d; }
  .title { font-size: 15px; font-weight: 600; } .strong { font-weight: 600; } .name { text-anchor: end; } .spread { stroke: #1f2328; }
  .store { fill: #1a7f5a; } .right { fill: #3b7dd8; } .wrong { fill: #c9884b; } text.store { fill: #3d444d; }
  @media (prefers-color-scheme: dark) {
    text { fill: #d1d7e0; } .spread { stroke: #f0f6fc; } .store { fill: #3fb98a; } .right { fill: #6ea8f5; } .wrong { fill: #b5763c; }
  }
</style>
${parts.join('\n')}
</svg>
`;
}
