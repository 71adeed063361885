const EACH_MS = 1_000;

/** Says on stderr, where that is a terminal, how far something has come that takes longer than a second. */
export function progress(say: () => string): { clear(): void; end(): void } {
  const { stderr } = process;
  if (!stderr.isTTY) return { clear: () => {}, end: () => {} };
  let isShown = false;
  const timer = setInterval(() => {
    isShown = true;
    stderr.write(`\r\x1b[K${say().slice(0, stderr.columns - 1)}`);
  }, EACH_MS);
  /** Makes room for other lines; the next turn shows it again. */
  const clear = () => {
    if (isShown) stderr.write('\r\x1b[K');
    isShown = false;
  };
  return {
    clear,
    end() {
      clearInterval(timer);
      clear();
    },
  };
}
