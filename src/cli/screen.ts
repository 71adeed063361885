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
  if (!stdout.isTTY) {
    await run({ draw: (lines) => stdout.write(`${lines.join('\n')}\n\n`), isOver: () => isOver, ended });
    return;
  }
  const hear = (key: Buffer) => {
    // In raw mode Ctrl-C is a key like any other.
    if (key.includes('q') || key.includes(3)) leave();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, leave);
  if (stdin.isTTY) {
    stdin.setRawMode(true);
    stdin.on('data', hear);
  }
  stdout.write('\x1b[?1049h\x1b[?25l');
  try {
    const draw = (lines: readonly string[]) => {
      const rows = lines.length > stdout.rows ? [...lines.slice(0, stdout.rows - 1), '…'] : lines;
      stdout.write(`\x1b[H${rows.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
    };
    await run({ draw, isOver: () => isOver, ended });
  } finally {
    stdout.write('\x1b[?25h\x1b[?1049l');
    for (const signal of signals) process.off(signal, leave);
    if (stdin.isTTY) {
      stdin.setRawMode(false);
      stdin.off('data', hear);
      stdin.pause();
    }
  }
}
