import cliTruncate from 'cli-truncate';
import stringWidth from 'string-width';
import { styled } from './print.ts';

/** A column of a table. */
export interface Column<Row> {
  head: string;
  /** What stands in it; it may have colours where it is not an id. */
  cell(row: Row): string;
  /** An id is cut, in the middle, where nothing else can make the table fit: one that no command takes before the others. */
  isId?: 'cut first' | 'cut last';
  /** Columns that may be left out have a number. The lowest goes first. */
  spare?: number;
  align?: 'right';
}

/** Lines that line up. One that is too wide loses its empty columns first, then what may be left out, then parts of ids. */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): string[] {
  const all = columns.map((column) => {
    const cells = rows.map(column.cell);
    // A million rows would be too many arguments for Math.max.
    const full = cells.reduce((most, cell) => Math.max(most, stringWidth(cell)), column.head.length);
    return { ...column, cells, width: full };
  });
  const excess = (of: typeof all) => of.reduce((sum, each) => sum + each.width + 2, -2) - width;
  let fitted = excess(all) > 0 ? all.filter(({ cells }) => cells.some((cell) => cell !== '')) : all;
  const spare = fitted.filter((each) => each.spare !== undefined).sort((a, b) => (a.spare ?? 0) - (b.spare ?? 0));
  for (const next of spare) if (excess(fitted) > 0) fitted = fitted.filter((each) => each !== next);
  for (const turn of ['cut first', 'cut last'] as const) {
    const ids = fitted.filter(({ isId }) => isId === turn);
    for (let more = excess(fitted); more > 0; more--) {
      // A short id keeps its width, and those that are longer share the rest.
      const [widest] = ids.sort((a, b) => b.width - a.width);
      if (widest && widest.width > (turn === 'cut first' ? widest.head.length : 1)) widest.width--;
    }
  }
  const lines = [-1, ...rows.keys()].map((at) => {
    const cells = fitted.map(({ head, cells, width, align }) => {
      const text = at < 0 ? head : (cells[at] ?? '');
      const cell = stringWidth(text) > width ? cliTruncate(text, width, { position: 'middle' }) : text;
      const blank = ' '.repeat(Math.max(0, width - stringWidth(cell)));
      return align === 'right' ? blank + cell : cell + blank;
    });
    return cells.join('  ').trimEnd();
  });
  return [styled('dim', lines[0] ?? ''), ...lines.slice(1)];
}
