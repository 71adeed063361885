import type { Redis } from 'ioredis';
import { checkOn } from '../../library/report.ts';
import { found, libraryAdvice, serves } from '../deployment.ts';
import { sentence, span } from '../print.ts';
import { type Finding, ok, warning, wrong } from './finding.ts';

const OLDEST_MAJOR = 7;
const MIB = 1024 * 1024;
/** How full a server may be before somebody should look. */
const FULL = 0.8;
const LAG_SECONDS = 10;
const CLOCK_MS = 1_000;
const REPLICA_ADVICE = 'Look at its log and the network between the two.';

/** Looks at one server without changing anything. A check that this user has no right for is a warning. */
export async function serverFindings(server: Redis): Promise<Finding[]> {
  const library = permitted('library', libraryOf(server));
  const clock = permitted('clock', clockOf(server));
  const told = permitted('server', server.info().then(fromInfo));
  return (await Promise.all([told, library, clock])).flat();
}

/** What a check found, or that this user may not run it. */
export async function permitted(check: string, findings: Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await findings;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (!message.startsWith('NOPERM')) throw error;
    const command = /'([\w|]+)' (?:command|subcommand)/.exec(message)?.[1] ?? 'what it takes';
    const found = `Not checked: this user may not run ${command.replace('|', ' ').toUpperCase()}.`;
    return [warning(check, found, 'Give it that right, or run doctor as a user who has it.')];
  }
}

async function libraryOf(server: Redis): Promise<Finding[]> {
  const report = await checkOn(server);
  const said = sentence(`${found(report)}.`);
  return [serves(report) ? ok('library', said) : wrong('library', said, libraryAdvice(report))];
}

async function clockOf(server: Redis): Promise<Finding[]> {
  const before = Date.now();
  const [seconds, microseconds] = await server.time();
  const after = Date.now();
  const its = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  const ahead = its > after ? its - after : Math.min(0, its - before);
  if (Math.abs(ahead) <= CLOCK_MS) return [ok('clock', `Within ${span(CLOCK_MS)} of this machine's.`)];
  return [
    warning(
      'clock',
      `${span(Math.abs(ahead))} ${ahead > 0 ? 'ahead of' : 'behind'} this machine.`,
      'Have both set their clocks by NTP. Deadlines go by the server alone, startedAt by the app.',
    ),
  ];
}

/** What the reply of INFO says. */
export function fromInfo(info: string): Finding[] {
  const values = new Map([...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name, value]));
  const of = (name: string) => values.get(name) ?? '';
  const version = values.has('valkey_version') ? `Valkey ${of('valkey_version')}` : `Redis ${of('redis_version')}`;
  const policy = of('maxmemory_policy');
  const [used, most] = [Number(of('used_memory')), Number(of('maxmemory'))];
  const share = `${mib(used)} of ${mib(most)} used (${Math.floor((100 * used) / most)} %).`;
  const full = "Look at its log and the disk's room.";
  return [
    firstOf('server', `${version}, up for ${span(Number(of('uptime_in_seconds')) * 1_000)}.`, [
      [
        Number.parseInt(of('redis_version'), 10) < OLDEST_MAJOR,
        wrong,
        `${version} has no functions.`,
        'Use Redis 7.0 or later, or Valkey 8.0 or later.',
      ],
      [of('loading') === '1', wrong, `${version} is still loading its data.`, 'Wait, then look again.'],
      [of('role') === 'slave', wrong, `${version} is a replica.`, 'Name its master.'],
    ]),
    firstOf('eviction', 'maxmemory-policy is noeviction.', [
      [
        policy !== 'noeviction',
        wrong,
        `maxmemory-policy is ${policy}: a full server drops conversations, and their channels are handed out twice.`,
        'CONFIG SET maxmemory-policy noeviction, then CONFIG REWRITE.',
      ],
    ]),
    firstOf('memory', share, [
      [
        most === 0,
        warning,
        `${mib(used)} used, without a maxmemory: when the machine is full, the server is killed.`,
        'Set maxmemory below what the machine has, and an alert at 80 % of it.',
      ],
      [used >= most, wrong, `${share} New conversations are refused.`, 'Raise maxmemory, or free some.'],
      [used >= FULL * most, warning, share, 'Raise maxmemory, or look for what grows.'],
    ]),
    firstOf('persistence', 'Append-only file.', [
      [of('rdb_last_bgsave_status') === 'err', wrong, 'The last snapshot failed; the server may refuse writes.', full],
      [
        of('aof_last_write_status') === 'err',
        wrong,
        'The last write of the append-only file failed; the server may refuse writes.',
        full,
      ],
      [
        of('aof_enabled') !== '1',
        warning,
        'No append-only file: after a crash, the conversations since the last snapshot are gone.',
        'Set appendonly yes where a conversation must survive a restart.',
      ],
    ]),
    ...replicasOf(info),
  ];
}

type Bad = [holds: boolean, level: typeof wrong, found: string, advice: string];

/** The first of what may be bad that holds, or the good one. */
function firstOf(check: string, good: string, bad: Bad[]): Finding {
  const [, level, found, advice] = bad.find(([holds]) => holds) ?? [];
  return level && found && advice ? level(check, found, advice) : ok(check, good);
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(bytes < 10 * MIB ? 1 : 0)} MiB`;
}

function replicasOf(info: string): Finding[] {
  const replicas = [...info.matchAll(/^slave\d+:ip=(.+?),port=(\d+),state=(\w+),.*?lag=(-?\d+)/gm)];
  const advice = 'Run one, so that a server that dies does not take all conversations with it.';
  if (replicas.length === 0) return [warning('replicas', 'There is no replica.', advice)];
  return replicas.map(([, host, port, state, lag]) =>
    firstOf('replica', `${host}:${port}, last heard of ${lag} s ago.`, [
      [state !== 'online', warning, `${host}:${port} is not ready (${state}).`, REPLICA_ADVICE],
      [Number(lag) > LAG_SECONDS, warning, `${host}:${port} is ${lag} s behind.`, REPLICA_ADVICE],
    ]),
  );
}
