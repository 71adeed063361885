/** How to call the program was misunderstood, as against work that could not be done (1). */
export const USAGE_ERROR = 2;

/** An end that a person is told of: the message is all they see, and holds no password. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
