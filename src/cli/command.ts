type Text =
  | ('url' | 'sentinel' | 'name' | 'tlsCa' | 'tlsCert' | 'tlsKey' | 'prefix' | 'platform' | 'channel' | 'job')
  | ('sort' | 'reason' | 'by' | 'stream' | 'user' | 'wait');
type Switch = 'sharded' | 'silent' | 'waiting' | 'wide' | 'yes' | 'discardInbox' | 'json' | 'force' | 'exact';

export type Values = { [Name in Text]?: string } & { [Name in Switch]?: boolean };

/** How to call the program was misunderstood, as against work that could not be done (1). */
export const USAGE_ERROR = 2;

/** An end that a person reads: the message is all they see, and holds no password. `cause` is the error behind it. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

export function misuse(message: string): Failure {
  return new Failure(message, USAGE_ERROR);
}

/** The end of a command that has found something wrong, and has said what. */
export function thingsWrong(count: number): Failure {
  return new Failure(count === 1 ? 'One thing is wrong.' : `${count} things are wrong.`);
}
