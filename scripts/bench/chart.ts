import { type Figures, find } from './compare.ts';
import { OPERATION_NAMES, OPERATIONS } from './conversations.ts';
import { count } from './table.ts';

const WIDTH = 760;
const LABELS = 150;
const VALUES = 70;
const BAR = 13;
const GAP = 3;

/** Calls per second as bars, one group for each operation. Its colours follow the reader's light or dark page. */
export function chart(all: readonly Figures[], contenders: readonly string[], callers: number): string {
  const most = Math.max(...all.filter((each) => each.callers === callers).map((each) => each.perSecond));
  const parts: string[] = [];
  let y = 46;
  for (const operation of OPERATIONS) {
    parts.push(text(0, y + 11, OPERATION_NAMES[operation], 'group'));
    y += 20;
    for (const contender of contenders) {
      const figures = find(all, contender, operation, callers);
      if (!figures) continue;
      const width = Math.max(1, (figures.perSecond / most) * (WIDTH - LABELS - VALUES));
      const own = contender === 'store' ? 'store' : 'other';
      parts.push(
        text(LABELS - 8, y + BAR - 3, contender, `name ${own}-name`),
        `<rect class="${own}" x="${LABELS}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`,
        text(LABELS + width + 6, y + BAR - 3, count(figures.perSecond), 'value'),
      );
      y += BAR + GAP;
    }
    y += 12;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="Calls per second with ${callers} callers">
<style>
  text { font: 12px system-ui, sans-serif; fill: #3d444d; }
  .title { font-size: 15px; font-weight: 600; }
  .group { font-size: 13px; font-weight: 600; }
  .name { text-anchor: end; }
  .store-name { font-weight: 600; }
  .store { fill: #1a7f5a; }
  .other { fill: #a3adb8; }
  @media (prefers-color-scheme: dark) {
    text { fill: #d1d7e0; }
    .store { fill: #3fb98a; }
    .other { fill: #5b6672; }
  }
</style>
${text(0, 18, `Calls per second with ${callers} callers over one server`, 'title')}
${parts.join('\n')}
</svg>
`;
}

function text(x: number, y: number, content: string, style: string): string {
  return `<text class="${style}" x="${x.toFixed(1)}" y="${y}">${content}</text>`;
}
