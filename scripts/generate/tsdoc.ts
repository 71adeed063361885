export const WIDTH = 120;

/** A documentation comment of these paragraphs, or nothing for the empty text; long lines are broken between words. */
export function docComment(lines: string[], indent = ''): string[] {
  const [only = '', ...others] = lines.flatMap((line) => wrap(line, WIDTH - indent.length - 3));
  if (others.length > 0 || only.length + indent.length + 7 > WIDTH) {
    return [`${indent}/**`, ...[only, ...others].map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
  }
  return only === '' ? [] : [`${indent}/** ${only} */`];
}

/** A tag and its words, or nothing where there are none. The lines after the first are indented. */
export function docTag(tag: string, text: string): string[] {
  return text === '' ? [] : wrap(`${tag} ${text}`, WIDTH - 6).map((line, at) => (at === 0 ? line : `  ${line}`));
}

function wrap(text: string, width: number): string[] {
  const broken = text.replace(RegExp(`(.{1,${width}})( |$)`, 'g'), '$1\n');
  return broken.trimEnd().split('\n');
}
