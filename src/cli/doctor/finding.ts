/** One thing that doctor looked at. */
export interface Finding {
  check: string;
  /** Whether it is as it should be, deserves a look, or is wrong. */
  level: 'ok' | 'warning' | 'wrong';
  /** What was found, in one sentence. */
  found: string;
  /** What to do about it. */
  advice?: string;
  /** The advice as a command to copy. */
  command?: string;
}

/** The first five of many, for a sentence. */
export function some(all: readonly string[]): string {
  return `${all.slice(0, 5).join(', ')}${all.length > 5 ? ` and ${all.length - 5} more` : ''}`;
}

export function ok(check: string, found: string): Finding {
  return { check, level: 'ok', found };
}

export function warning(check: string, found: string, advice: string): Finding {
  return { check, level: 'warning', found, advice };
}

export function wrong(check: string, found: string, advice: string): Finding {
  return { check, level: 'wrong', found, advice };
}
