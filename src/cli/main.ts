#!/usr/bin/env node
import { CommanderError } from 'commander';
import { runCommandLine } from './command-line.ts';
import { Failure, USAGE_ERROR } from './failure.ts';
import { styled } from './print.ts';

/** Something is still open: a name being looked up, a server that does not hang up. Nobody waits for that. */
const LINGER_MS = 500;

// Whoever reads the output has seen enough: `| head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
try {
  await runCommandLine(process.argv.slice(2));
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : USAGE_ERROR;
  } else {
    // Whatever it is, a person reads it: no stack trace.
    console.error(styled('red', error instanceof Error ? error.message : String(error), process.stderr));
    process.exitCode = error instanceof Failure ? error.exitCode : 1;
  }
}
setTimeout(() => process.exit(), LINGER_MS).unref();
