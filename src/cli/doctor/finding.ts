/** One thing that doctor looked at. */
export interface Finding {
  check: string;
  /** Whether it is as it should be, deserves a look, or is wrong. */
  level: 'ok' | 'warning' | 'wrong';
  found: string;
  advice?: string;
  /** The advice as a command to copy. */
  command?: string;
}

/** The first five of many, for a sentence. */
export function some(all: readonly string[]): string {
  return `${all.slice(0, 5).join(', ')}${all.length > 5 ? ` and ${all.length - 5} more` : ''}`;
}

export const ok = (check: string, found: string): Finding => ({ check, level: 'ok', found });

const bad =
  (level: 'warning' | 'wrong') =>
  (check: string, found: string, advice: string): Finding => ({ check, level, found, advice });
export const warning = bad('warning');
export const wrong = bad('wrong');
