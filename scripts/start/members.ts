/** A line that is no event. The message says why, and goes on from "line 7 is". */
export class BadEvent extends Error {}

/** The member at a path such as `actions.0.value`; undefined where there is none. */
export function member(body: unknown, path: string): unknown {
  let value = body;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** The string at a path. */
export function text(body: unknown, path: string): string {
  const value = member(body, path);
  if (typeof value === 'string' && value !== '') return value;
  throw new BadEvent(`not usable: ${path} must be a non-empty string`);
}

/** The same where it may be missing: then it is empty. */
export function textOrEmpty(body: unknown, path: string): string {
  const value = member(body, path);
  return typeof value === 'string' ? value : '';
}

/** The whole number at a path. */
export function number(body: unknown, path: string, { from, to }: { from: number; to: number }): number {
  const value = member(body, path);
  if (Number.isInteger(value) && Number(value) >= from && Number(value) <= to) return Number(value);
  throw new BadEvent(`not usable: ${path} must be a whole number from ${from} to ${to}`);
}
