/** What a process with test files tells whoever started it, one line of JSON each on descriptor {@link CHANNEL}. */
export type Event =
  /** The next of its files begins. */
  | { kind: 'file' }
  /** test(), test.skip() or test.only() was called. */
  | { kind: 'registered' }
  /** The file was loaded: everything that it registers by itself is registered. */
  | { kind: 'loaded' }
  /** The body of a test began, passed or failed. */
  | { kind: 'began'; test: string }
  | { kind: 'passed' }
  | { kind: 'failed' }
  /** A suite has ended; `total` is how many of its tests uvu meant to run. */
  | { kind: 'suite'; passed: number; skipped: number; total: number }
  /** Something that uvu lets pass: a sentence for a person. */
  | { kind: 'problem'; text: string }
  /** All suites of the file have ended. */
  | { kind: 'done' };

export const CHANNEL = 3;

export function count(tests: number): string {
  return tests === 1 ? '1 test' : `${tests} tests`;
}
