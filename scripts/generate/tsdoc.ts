export const WIDTH = 120;

/** A documentation comment of these paragraphs; a line that is too long is broken between words. */
export function docComment(lines: string[], indent = ''): string[] {
  const [only = '', ...others] = lines.flatMap((line) => wrap(line, WIDTH - indent.length - 3));
  if (others.length === 0 && only.length + indent.length + 7 <= WIDTH) return [`${indent}/** ${only} */`];
  return [`${indent}/**`, ...[only, ...others].map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
}

/** A tag and its words, or nothing where there are none. The lines after the first are indented. */
export function docTag(tag: string, text: string): string[] {
  if (text === '') return [];
  const [first = '', ...others] = wrap(`${tag} ${text}`, WIDTH - 6);
  return [first, ...others.map((line) => `  ${line}`)];
}

function wrap(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length > width) {
      lines.push(line.trimEnd());
      line = '';
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}
