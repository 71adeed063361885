/** Says on stderr how far a section is: one line that moves on a terminal, a line now and then elsewhere. */
export interface Progress {
  step(what: string): void;
  done(): void;
}

const PLAIN_EVERY_MS = 15_000;

export function startProgress(title: string, steps: number): Progress {
  const began = performance.now();
  const terminal = process.stderr.isTTY;
  let taken = 0;
  let said = began;
  const seconds = () => Math.round((performance.now() - began) / 1000);
  if (!terminal) console.error(`${title} …`);
  return {
    step(what) {
      taken++;
      const share = Math.min(99, Math.floor(((taken - 1) / steps) * 100));
      const line = `${title}: ${String(share).padStart(2)} %, ${what}, ${seconds()} s`;
      if (terminal) process.stderr.write(`\r\x1b[2K${line}`);
      else if (performance.now() - said > PLAIN_EVERY_MS) {
        said = performance.now();
        console.error(line);
      }
    },
    done() {
      const line = `${title}: done in ${seconds()} s`;
      if (terminal) process.stderr.write(`\r\x1b[2K${line}\n`);
      else console.error(line);
    },
  };
}
