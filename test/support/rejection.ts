/** The error that a call ends with. */
export async function rejection(run: () => unknown): Promise<Error & { code?: string }> {
  let reply: unknown;
  try {
    reply = await run();
  } catch (error) {
    return error as Error;
  }
  throw new Error(`an error was wanted, the reply was ${JSON.stringify(reply)}`);
}
