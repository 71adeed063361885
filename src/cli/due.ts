import { type Command, STORE } from './command.ts';
import { withStore } from './connect.ts';
import { type SilentJob, silentJobs } from './look.ts';
import { progress } from './progress.ts';
import { type Column, shown, shownJson, span, tableOf } from './text.ts';

const COLUMNS: readonly Column[] = [
  { head: 'PLATFORM' },
  { head: 'CHANNEL', min: 12 },
  { head: 'JOB', min: 12 },
  { head: 'SILENT', align: 'right' },
  { head: 'CHANNEL IS' },
];

export const due: Command = {
  summary: 'shows the jobs that have been silent for too long; changes nothing, so a sweep still finds them',
  options: [...STORE, 'json'],
  examples: ['due --url redis://localhost:6379'],
  notes: [
    'SILENT counts from when the job became silent. A job that a sweep has just looked at is not shown until its lease ends.',
  ],
  async run(values) {
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
      else for (const line of tableOf(COLUMNS, jobs.map(cells))) console.log(line);
    });
  },
};

function cells({ platform, channelId, jobId, silentMs, holds }: SilentJob): string[] {
  return [
    shown(platform),
    shown(channelId),
    shown(jobId),
    span(silentMs),
    holds === null ? 'unreadable' : holds ? 'held' : 'not held',
  ];
}
