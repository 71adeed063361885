import { withStore } from './connect.ts';
import { type DueEntry, dueEntries } from './look.ts';
import { shown, shownJson, span, terminalWidth } from './print.ts';
import { progress } from './progress.ts';
import { type Column, tableOf } from './table.ts';
import type { Values } from './values.ts';

const COLUMNS: readonly Column<DueEntry>[] = [
  { head: 'PLATFORM', cell: ({ platform }) => shown(platform) },
  { head: 'CHANNEL', cell: ({ channelId }) => shown(channelId), isId: 'cut last' },
  { head: 'JOB', cell: ({ jobId }) => shown(jobId), isId: 'cut last' },
  { head: 'WHY', cell: ({ reason }) => (reason === 'silent' ? 'silent' : 'no answer') },
  { head: 'FOR', cell: ({ dueMs }) => span(dueMs), align: 'right' },
  { head: 'CHANNEL IS', cell: ({ holds }) => (holds === null ? 'unreadable' : holds ? 'held' : 'not held') },
];

/** Prints the jobs that somebody has to look at. */
export async function due(values: Values): Promise<void> {
  await withStore(values, async (store) => {
    await store.connection.ready();
    const jobs: DueEntry[] = [];
    const bar = progress(() => `${jobs.length} jobs found, still looking. Ctrl-C ends it.`);
    try {
      for await (const some of dueEntries(store)) jobs.push(...some);
    } finally {
      bar.end();
    }
    jobs.sort((a, b) => b.dueMs - a.dueMs);
    if (values.json) for (const job of jobs) console.log(shownJson(job));
    else if (jobs.length === 0) console.error('No job is silent, and no question has waited for too long.');
    else for (const line of tableOf(COLUMNS, jobs, terminalWidth())) console.log(line);
  });
}
