import { withStore } from './connect.ts';
import { type SilentJob, silentJobs } from './look.ts';
import { shown, shownJson, span, terminalWidth } from './print.ts';
import { progress } from './progress.ts';
import { type Column, tableOf } from './table.ts';
import type { Values } from './values.ts';

const COLUMNS: readonly Column<SilentJob>[] = [
  { head: 'PLATFORM', cell: ({ platform }) => shown(platform) },
  { head: 'CHANNEL', cell: ({ channelId }) => shown(channelId), isId: true },
  { head: 'JOB', cell: ({ jobId }) => shown(jobId), isId: true },
  { head: 'SILENT', cell: ({ silentMs }) => span(silentMs), align: 'right' },
  { head: 'CHANNEL IS', cell: ({ holds }) => (holds === null ? 'unreadable' : holds ? 'held' : 'not held') },
];

/** Prints the silent jobs. */
export async function due(values: Values): Promise<void> {
  await withStore(values, async (store) => {
    await store.connection.ready();
    const jobs: SilentJob[] = [];
    const bar = progress(() => `${jobs.length} silent jobs found, still looking. Ctrl-C ends it.`);
    try {
      for await (const some of silentJobs(store)) jobs.push(...some);
    } finally {
      bar.end();
    }
    jobs.sort((a, b) => b.silentMs - a.silentMs);
    if (values.json) for (const job of jobs) console.log(shownJson(job));
    else if (jobs.length === 0) console.error('No watched job is silent.');
    else {
      const width = values.wide ? Number.POSITIVE_INFINITY : terminalWidth();
      for (const line of tableOf(COLUMNS, jobs, width)) console.log(line);
    }
  });
}
