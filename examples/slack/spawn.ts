import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1Job } from '@kubernetes/client-node';
import { parse } from 'yaml';
import type { Surroundings } from './dispatcher.ts';

type Job = Parameters<Surroundings['startJob']>[0];

/** What a job is given in its environment. */
const environmentOf = ({ jobId, channelId, text, lastSeen = '' }: Job) => {
  return { JOB_ID: jobId, CHANNEL_ID: channelId, TEXT: text, LAST_SEEN: lastSeen };
};

/** Where jobs run. A second start of the same job does nothing. */
export type Spawner = Pick<Surroundings, 'startJob' | 'isAlive'>;

export function spawnerOf(kind = 'process'): Spawner {
  if (kind === 'process') return processes();
  if (kind === 'kubernetes') return kubernetes();
  throw new Error(`SPAWN must be process or kubernetes, not ${kind}.`);
}

/** Each job is a process on this machine, which outlives the bot. All bots of the machine know it by its pid file. */
export function processes(folder = join(tmpdir(), 'conversation-state-jobs')): Spawner {
  const pidFile = (jobId: string) => join(folder, `${jobId}.pid`);
  async function isAlive(jobId: string): Promise<boolean> {
    try {
      // Signal 0 only asks whether the process is there.
      return process.kill(Number(await readFile(pidFile(jobId), 'utf8')), 0);
    } catch {
      await rm(pidFile(jobId), { force: true });
      return false;
    }
  }
  return {
    isAlive,
    async startJob(job) {
      const { jobId } = job;
      await mkdir(folder, { recursive: true });
      if (await isAlive(jobId)) return;
      const worker = spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'worker.ts')], {
        cwd: import.meta.dirname,
        env: { ...process.env, ...environmentOf(job) },
        detached: true,
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      await new Promise((resolve, reject) => worker.once('spawn', resolve).once('error', reject));
      await writeFile(pidFile(jobId), String(worker.pid));
      worker.once('exit', () => void rm(pidFile(jobId), { force: true })).unref();
    },
  };
}

/** Each job is a Kubernetes Job, made of `kubernetes/job.yaml`. */
export function kubernetes(manifest = join(import.meta.dirname, 'kubernetes', 'job.yaml')): Spawner {
  const cluster = (async () => {
    // Slow to load, so only where it is used.
    const { BatchV1Api, KubeConfig } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    config.loadFromDefault();
    const current = config.getContextObject(config.getCurrentContext());
    return { api: config.makeApiClient(BatchV1Api), namespace: current?.namespace ?? 'default' };
  })();
  cluster.catch(() => {}); // Whoever uses it hears of the error.
  return {
    async startJob(job) {
      const { api, namespace } = await cluster;
      const body = fillIn(await readFile(manifest, 'utf8'), job);
      // Somebody else started it.
      await api.createNamespacedJob({ namespace, body }).catch(except(409));
    },
    async isAlive(jobId) {
      const { api, namespace } = await cluster;
      const found = await api.readNamespacedJob({ name: jobId, namespace }).catch(except(404));
      const ended = found?.status?.conditions?.some(
        ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
      );
      return found !== undefined && !ended;
    },
  };
}

/** Makes the manifest of one job of the template: `$JOB_ID` in it becomes the job's id, and so on. */
export function fillIn(template: string, job: Job): V1Job {
  const given = new Map<unknown, string>(
    Object.entries(environmentOf(job)).map(([name, value]) => [`$${name}`, value]),
  );
  return parse(template, (_, value) => given.get(value) ?? value);
}

function except(code: number): (error: unknown) => undefined {
  return (error) => {
    if ((error as { code?: unknown }).code !== code) throw error;
  };
}
