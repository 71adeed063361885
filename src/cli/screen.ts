/** A place to draw on again and again. */
export interface Screen {
  /** Draws these lines in place of those before; in a pipe behind them. */
  draw(lines: readonly string[]): void;
  /** Whether the person at the keyboard has had enough: q or Ctrl-C. */
  isOver(): boolean;
  /** Resolves as soon as that is so. */
  ended: Promise<void>;
}

/** Runs something that draws on the terminal's second screen, and leaves the first one as it was, however it ends. */
export async function onScreen(run: (screen: Screen) => Promise<void>): Promise<void> {
  const { stdin, stdout } = process;
  let isOver = false;
  let leave = () => {};
  const ended = new Promise<void>((resolve) => {
    leave = () => {
      isOver = true;
      resolve();
    };
  });
  const draw = (lines: readonly string[]) => {
    if (!stdout.isTTY) return stdout.write(`${lines.join('\n')}\n\n`);
    const rows = lines.length > stdout.rows ? [...lines.slice(0, stdout.rows - 1), '…'] : lines;
    return stdout.write(`\x1b[H${rows.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
  };
  const screen = { draw, isOver: () => isOver, ended };
  if (!stdout.isTTY) return run(screen);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, leave);
  if (stdin.isTTY) stdin.setRawMode(true);
  // In raw mode Ctrl-C is a key like any other.
  if (stdin.isTTY) stdin.on('data', (key) => (key.includes('q') || key.includes('\x03')) && leave());
  stdout.write('\x1b[?1049h\x1b[?25l');
  try {
    await run(screen);
  } finally {
    stdout.write('\x1b[?25h\x1b[?1049l');
    for (const signal of signals) process.off(signal, leave);
    if (stdin.isTTY) stdin.setRawMode(false).pause();
  }
}

/**
 * Runs something and says on stderr, where that is a terminal, how far it has come if it takes longer than a second.
 * `run` makes room for other lines with `clear`; the next turn shows it again.
 */
export async function withProgress<T>(say: () => string, run: (clear: () => void) => Promise<T>): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY) return run(() => {});
  let isShown = false;
  const timer = setInterval(() => {
    isShown = true;
    stderr.write(`\r\x1b[K${say().slice(0, stderr.columns - 1)}`);
  }, 1_000);
  const clear = () => {
    if (isShown) stderr.write('\r\x1b[K');
    isShown = false;
  };
  try {
    return await run(clear);
  } finally {
    clearInterval(timer);
    clear();
  }
}
