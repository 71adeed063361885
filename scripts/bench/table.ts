/** A Markdown table that lines up in a terminal too. Numbers, and what begins with one, stand to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, ...[title, ...rows.map((row) => row[column] ?? '')].map(width)),
  );
  const right = head.map((_, column) => rows.every((row) => /^$|^[-–+<]?\s?[\d.,]|^–$/.test(row[column] ?? '')));
  const pad = (text: string, column: number) => {
    const blanks = ' '.repeat((widths[column] ?? 0) - width(text));
    return right[column] ? blanks + text : text + blanks;
  };
  const line = (cells: readonly string[]) =>
    `| ${head.map((_, column) => pad(cells[column] ?? '', column)).join(' | ')} |`;
  const rule = widths.map((wide, column) => (right[column] ? `${'-'.repeat(wide - 1)}:` : '-'.repeat(wide)));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

function width(text: string): number {
  return [...text].length;
}

/** `23 400`: to three digits, because the fourth is noise. */
export function count(value: number): string {
  const rounded = value >= 1000 ? Number(value.toPrecision(3)) : Math.round(value);
  return grouped(rounded);
}

/** `1 073 741`: every digit. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
}

export function milliseconds(value: number): string {
  return value >= 10 ? value.toFixed(1) : value.toFixed(value >= 1 ? 2 : 3);
}

export function percent(share: number): string {
  return `±${Math.round(share * 100)} %`;
}

export function times(ratio: number): string {
  return ratio.toFixed(2);
}
