import { type Figures, find } from './compare.ts';
import type { Outcome } from './contests.ts';
import { OPERATION_NAMES, OPERATIONS } from './conversations.ts';
import type { Machine } from './machine.ts';
import { count } from './report.ts';

const [WIDTH, LEFT, RIGHT, TOP, BAR] = [760, 64, 690, 66, 13];

const text = (x: number, y: number, content: string, style = '') =>
  `<text class="${style}" x="${x.toFixed(1)}" y="${y}">${content}</text>`;

/** Calls per second as bars with their spreads, one group for each operation. It follows the reader's light or dark page. */
export function chart(figures: readonly Figures[], outcomes: readonly Outcome[], callers: number, machine: Machine) {
  const names = [...new Set(figures.map(({ name }) => name))];
  const most = Math.max(...figures.filter((each) => each.callers === callers).map(({ high }) => high));
  const step = [1000, 2000, 5000, 10_000, 20_000].find((one) => most / one <= 8) ?? 50_000;
  const ticks = Array.from({ length: Math.ceil(most / step) + 1 }, (_, tick) => tick * step);
  const x = (value: number) => LEFT + (value / (ticks.at(-1) ?? 1)) * (RIGHT - LEFT);
  const bars: string[] = [];
  let y = TOP;
  for (const operation of OPERATIONS) {
    bars.push(text(0, y + 11, OPERATION_NAMES[operation], 'strong'));
    y += 18;
    for (const name of names) {
      const { perSecond, low, high } = find(figures, name, operation, callers);
      const wrong = outcomes.find((one) => one.name === name)?.wrong;
      const kind = name === 'store' ? 'store' : wrong === undefined ? 'floor' : wrong < 2 ? 'right' : 'wrong';
      const [from, to] = [x(low).toFixed(1), x(high).toFixed(1)];
      bars.push(
        text(LEFT - 8, y + 11, name, `name ${name === 'store' ? 'strong' : ''}`),
        `<rect class="${kind}" x="${LEFT}" y="${y}" width="${(x(perSecond) - LEFT).toFixed(1)}" height="${BAR}"/>`,
        `<path class="spread" d="M${from} ${y + 6.5}H${to}M${from} ${y + 3}v7M${to} ${y + 3}v7"/>`,
        text(x(high) + 6, y + 11, count(perSecond)),
      );
      y += BAR + 3;
    }
    y += 10;
  }
  const axis = ticks.flatMap((value) => [
    `<path class="grid" d="M${x(value).toFixed(1)} ${TOP - 4}V${y}"/>`,
    text(x(value), y + 15, count(value), 'tick'),
  ]);
  const key = (kind: string, at: number, label: string) =>
    `<rect class="${kind}" x="${at}" y="34" width="12" height="12"/>${text(at + 17, 45, label)}`;
  const own = [key('store', 0, 'this package'), key('right', 112, 'fewer than two wrong outcomes')];
  const legend = [...own, key('wrong', 336, 'wrong outcomes'), key('floor', 462, 'the same commands and nothing else')];
  const height = y + 76;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Calls per second with ${callers} callers">
<style>
  text { font: 12px system-ui, sans-serif; fill: #3d444d; }
  .title { font-size: 15px; font-weight: 600; } .strong { font-weight: 600; }
  .name { text-anchor: end; } .tick { text-anchor: middle; } .grid { stroke: #d1d9e0; } .spread { stroke: #1f2328; }
  .store { fill: #1a7f5a; } .right { fill: #3b7dd8; } .wrong { fill: #c9884b; } .floor { fill: #a3adb8; }
  @media (prefers-color-scheme: dark) {
    text { fill: #d1d7e0; } .grid { stroke: #30363d; } .spread { stroke: #f0f6fc; }
    .store { fill: #3fb98a; } .right { fill: #6ea8f5; } .wrong { fill: #b5763c; } .floor { fill: #5b6672; }
  }
</style>
${text(0, 18, `Calls per second with ${callers} callers`, 'title')}
${[...legend, ...axis, ...bars].join('\n')}
${text(0, y + 36, 'Bars are medians of the turns; half of the turns lie within the lines.')}
${text(0, y + 53, `${machine.date}: ${machine.hardware}`)}
${text(0, y + 70, machine.software)}
</svg>
`;
}
