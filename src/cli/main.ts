#!/usr/bin/env node
import { runCommandLine } from './command-line.ts';
import { reasonOf } from './reason.ts';

/** Something is still open: a name being looked up, a server that does not hang up. Nobody waits for that. */
const LINGER_MS = 500;

// Whoever reads the output has seen enough: `| head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
// What the client reports to nobody: that ASKING was refused, which it sends where a slot is on the move.
process.on('unhandledRejection', (error) => {
  console.error(reasonOf(error, false));
  process.exit(1);
});
process.exitCode = await runCommandLine(process.argv.slice(2));
setTimeout(() => process.exit(), LINGER_MS).unref();
