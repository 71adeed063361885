// As much of the Redis protocol as it takes to tell where one command or one reply ends and the next begins.

const LINE_END = '\r\n';

/** Where the value that begins at `from` ends, in RESP2 and RESP3; undefined where it is not all there yet. */
export function endOfValue(bytes: Buffer, from: number): number | undefined {
  const lineEnd = bytes.indexOf(LINE_END, from);
  if (lineEnd < 0) return undefined;
  const afterLine = lineEnd + LINE_END.length;
  const type = String.fromCharCode(bytes[from] ?? 0);
  if ('+-:_#,('.includes(type)) return afterLine;
  const count = Math.max(Number(bytes.toString('latin1', from + 1, lineEnd)), -1);
  if (Number.isNaN(count) || !'$!=*~>%|'.includes(type)) {
    throw new Error(`not RESP: ${JSON.stringify(bytes.toString('latin1', from, lineEnd))}`);
  }
  if ('$!='.includes(type)) {
    const end = count < 0 ? afterLine : afterLine + count + LINE_END.length;
    return end <= bytes.length ? end : undefined;
  }
  if ('*~>'.includes(type)) return endOfValues(bytes, afterLine, count);
  if (type === '%') return endOfValues(bytes, afterLine, 2 * count);
  // Attributes stand before the value that they belong to.
  return endOfValues(bytes, afterLine, 2 * count + 1);
}

function endOfValues(bytes: Buffer, from: number, count: number): number | undefined {
  let end: number | undefined = from;
  for (let left = count; left > 0 && end !== undefined; left--) end = endOfValue(bytes, end);
  return end;
}

/** What a command is, in lower case, with the name of the function that it calls: `scan`, `fcall conv_claim`. */
export function nameOf(command: Buffer): string {
  const [, , first = '', , second = ''] = command.toString('latin1', 0, 200).toLowerCase().split(LINE_END);
  return /^f(call|unction)/.test(first) ? `${first} ${second}` : first;
}

/** Takes bytes as they come in and gives the values that have become whole. */
export function splitter(): (chunk: Buffer) => Buffer[] {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const whole: Buffer[] = [];
    for (let end = endOfValue(rest, 0); end !== undefined; end = endOfValue(rest, 0)) {
      whole.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    return whole;
  };
}
