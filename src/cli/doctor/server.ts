import type { Redis } from 'ioredis';
import { checkOn, refusalOf } from '../../library/report.ts';
import { found } from '../deployment.ts';
import { serverTime } from '../look.ts';
import { sentence, span } from '../print.ts';
import { reasonOf } from '../reason.ts';
import { type Finding, ok, warning, wrong } from './finding.ts';

const OLDEST_MAJOR = 7;
/** How full a server may be before somebody should look. */
const FULL = 0.8;
const LAG_SECONDS = 10;
const CLOCK_MS = 1_000;

/** What a check found; a warning if this user may not run it. */
export async function permitted(check: string, findings: Promise<Finding[]>): Promise<Finding[]> {
  return findings.catch((error: Error) => {
    if (!error.message.startsWith('NOPERM')) throw error;
    const found = `Not checked: ${reasonOf(error, false)}`;
    return [warning(check, found, 'Give it that right, or run doctor as a user who has it.')];
  });
}

export async function libraryOf(server: Redis): Promise<Finding[]> {
  const report = await checkOn(server);
  const said = sentence(`${found(report)}.`);
  const refusal = refusalOf(report, 'the server');
  return [refusal ? wrong('library', said, sentence(`${refusal.message}.`)) : ok('library', said)];
}

export async function clockOf(server: Redis): Promise<Finding[]> {
  const before = Date.now();
  const its = await serverTime({ client: server });
  const after = Date.now();
  const ahead = its > after ? its - after : Math.min(0, its - before);
  if (Math.abs(ahead) <= CLOCK_MS) return [ok('clock', `Within ${span(CLOCK_MS)} of this machine's.`)];
  const found = `${span(Math.abs(ahead))} ${ahead > 0 ? 'ahead of' : 'behind'} this machine.`;
  const advice = 'Have both set their clocks by NTP. Deadlines go by the server, startedAt by the app.';
  return [warning('clock', found, advice)];
}

export function fromInfo(info: string): Finding[] {
  const values = new Map([...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name, value]));
  const of = (name: string) => values.get(name) ?? '';
  const version = values.has('valkey_version') ? `Valkey ${of('valkey_version')}` : `Redis ${of('redis_version')}`;
  const isOld = Number.parseInt(of('redis_version'), 10) < OLDEST_MAJOR;
  const policy = of('maxmemory_policy');
  const evicts = `maxmemory-policy is ${policy}: a full server drops conversations, whose channels are handed out twice.`;
  const [used, most] = [Number(of('used_memory')), Number(of('maxmemory'))];
  const share = `${of('used_memory_human')} of ${of('maxmemory_human')} used (${Math.floor((100 * used) / most)} %).`;
  const endless = `${of('used_memory_human')} used, without a maxmemory: when the machine is full, the server is killed.`;
  const isUnwritten = [of('rdb_last_bgsave_status'), of('aof_last_write_status')].includes('err');
  const unwritten = 'The last snapshot or write of the append-only file failed; the server may refuse writes.';
  const noFile = 'No append-only file: after a crash, the conversations since the last snapshot are gone.';
  // The first of each check that holds is what was found.
  const all: [holds: boolean, Finding][] = [
    [isOld, wrong('server', `${version} has no functions.`, 'Use Redis 7.0 or later, or Valkey 8.0 or later.')],
    [of('loading') === '1', wrong('server', `${version} is still loading its data.`, 'Wait, then look again.')],
    [of('role') === 'slave', wrong('server', `${version} is a replica.`, 'Name its master.')],
    [true, ok('server', `${version}, up for ${span(Number(of('uptime_in_seconds')) * 1_000)}.`)],
    [policy === 'noeviction', ok('eviction', 'maxmemory-policy is noeviction.')],
    [true, wrong('eviction', evicts, 'CONFIG SET maxmemory-policy noeviction, then CONFIG REWRITE.')],
    [most === 0, warning('memory', endless, 'Set maxmemory below what the machine has, and an alert at 80 % of it.')],
    [used >= most, wrong('memory', `${share} New conversations are refused.`, 'Raise maxmemory, or free some.')],
    [used >= FULL * most, warning('memory', share, 'Raise maxmemory, or look for what grows.')],
    [true, ok('memory', share)],
    [isUnwritten, wrong('persistence', unwritten, "Look at its log and the disk's room.")],
    [of('aof_enabled') === '1', ok('persistence', 'Append-only file.')],
    [true, warning('persistence', noFile, 'Set appendonly yes where a conversation must survive a restart.')],
  ];
  const found = all.flatMap(([holds, finding]) => (holds ? [finding] : []));
  return [...found.filter(({ check }, at) => check !== found[at - 1]?.check), ...replicasOf(info)];
}

function replicasOf(info: string): Finding[] {
  const replicas = [...info.matchAll(/^slave\d+:ip=(.+?),port=(\d+),state=(\w+),.*?lag=(-?\d+)/gm)];
  const advice = 'Run one, so that a server that dies does not take all conversations with it.';
  if (replicas.length === 0) return [warning('replicas', 'There is no replica.', advice)];
  return replicas.map(([, host, port, state, lag]) => {
    const said = `${host}:${port} is ${state}, last heard of ${lag} s ago.`;
    const isBehind = state !== 'online' || Number(lag) > LAG_SECONDS;
    return isBehind
      ? warning('replica', said, 'Look at its log and the network between the two.')
      : ok('replica', said);
  });
}
