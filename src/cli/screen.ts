const LEAVE = '\x1b[?25h\x1b[?1049l';

/**
 * Runs something that draws lines again and again, on the terminal's second screen, and leaves the first one as it was.
 * q, Ctrl-C and a signal end the process. In a pipe the lines stand behind those before.
 */
export async function onScreen(run: (draw: (lines: readonly string[]) => void) => Promise<void>): Promise<void> {
  const { stdin, stdout } = process;
  if (!stdout.isTTY) return run((lines) => stdout.write(`${lines.join('\n')}\n\n`));
  const leave = () => {
    stdout.write(LEAVE);
    process.exit();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, leave);
  if (stdin.isTTY) stdin.setRawMode(true);
  // In raw mode Ctrl-C is a key like any other.
  if (stdin.isTTY) stdin.on('data', (key) => (key.includes('q') || key.includes('\x03')) && leave());
  stdout.write('\x1b[?1049h\x1b[?25l');
  try {
    await run((lines) => {
      const rows = lines.length > stdout.rows ? [...lines.slice(0, stdout.rows - 1), '…'] : lines;
      stdout.write(`\x1b[H${rows.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
    });
  } finally {
    stdout.write(LEAVE);
  }
}

/** Runs something and says on stderr, where that is a terminal, how far it has come if it takes longer than a second. */
export function withProgress<T>(say: () => string, run: (clear: () => void) => Promise<T>): Promise<T> {
  const { stderr } = process;
  let shown = '';
  const show = (text: string) => {
    if (shown || text) stderr.write(`\r\x1b[K${text}`);
    shown = text;
  };
  const clear = () => show('');
  const timer = setInterval(() => stderr.isTTY && show(say().slice(0, stderr.columns - 1)), 1_000);
  return run(clear).finally(() => {
    clearInterval(timer);
    clear();
  });
}
