import type { Redis } from 'ioredis';
import { LIBRARY_NAME, LIBRARY_VERSION } from '../../conversation.gen.ts';
import { compatibility } from '../../library/decision.ts';
import { checkOn } from '../../library/report.ts';
import { libraryAdvice } from '../deployment.ts';
import { span } from '../print.ts';
import { type Finding, ok, warning, wrong } from './finding.ts';

const OLDEST_MAJOR = 7;
const MIB = 1024 * 1024;
/** How full a server may be before somebody should look. */
const FULL = 0.8;
const LAG_SECONDS = 10;
const CLOCK_MS = 1_000;

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
  const { present, found, foreign } = report;
  const version = `${LIBRARY_NAME} ${found ?? 'without a version'}`;
  if (foreign === null && compatibility(found) === 'serving') {
    return [ok('library', `${version}, which serves apps of ${LIBRARY_VERSION}.`)];
  }
  const what =
    foreign === LIBRARY_NAME
      ? `The library ${foreign} is another program's.`
      : foreign !== null
        ? `The library ${foreign} has a function name of ${LIBRARY_NAME}.`
        : present
          ? `${version} does not serve apps of ${LIBRARY_VERSION}.`
          : `There is no library ${LIBRARY_NAME}.`;
  return [wrong('library', what, libraryAdvice(report))];
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
  const values = Object.fromEntries([...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name, value]));
  const of = (name: string) => values[name] ?? '';
  return [serverOf(of), evictionOf(of), memoryOf(of), persistenceOf(of), ...replicasOf(of)];
}

type Info = (name: string) => string;

function serverOf(of: Info): Finding {
  const valkey = of('valkey_version');
  const version = valkey ? `Valkey ${valkey}` : `Redis ${of('redis_version')}`;
  if (Number.parseInt(of('redis_version'), 10) < OLDEST_MAJOR) {
    return wrong('server', `${version} has no functions.`, 'Use Redis 7.0 or later, or Valkey 8.0 or later.');
  }
  if (of('loading') === '1') return wrong('server', `${version} is still loading its data.`, 'Wait, then look again.');
  if (of('role') === 'slave') return wrong('server', `${version} is a replica.`, 'Name its master.');
  return ok('server', `${version}, up for ${span(Number(of('uptime_in_seconds')) * 1_000)}.`);
}

function evictionOf(of: Info): Finding {
  const policy = of('maxmemory_policy');
  if (policy === 'noeviction') return ok('eviction', 'maxmemory-policy is noeviction.');
  return wrong(
    'eviction',
    `maxmemory-policy is ${policy}: a full server drops conversations, and their channels are handed out twice.`,
    'CONFIG SET maxmemory-policy noeviction, then CONFIG REWRITE.',
  );
}

function memoryOf(of: Info): Finding {
  const [used, most] = [Number(of('used_memory')), Number(of('maxmemory'))];
  const mib = (bytes: number) => `${(bytes / MIB).toFixed(bytes < 10 * MIB ? 1 : 0)} MiB`;
  if (most === 0) {
    return warning(
      'memory',
      `${mib(used)} used, without a maxmemory: when the machine is full, the server is killed.`,
      'Set maxmemory below what the machine has, and an alert at 80 % of it.',
    );
  }
  const found = `${mib(used)} of ${mib(most)} used (${Math.floor((100 * used) / most)} %).`;
  if (used >= most) return wrong('memory', `${found} New conversations are refused.`, 'Raise maxmemory, or free some.');
  if (used >= FULL * most) return warning('memory', found, 'Raise maxmemory, or look for what grows.');
  return ok('memory', found);
}

function persistenceOf(of: Info): Finding {
  const failed =
    of('rdb_last_bgsave_status') === 'err'
      ? 'The last snapshot'
      : of('aof_last_write_status') === 'err' && 'The last write of the append-only file';
  const advice = "Look at its log and the disk's room.";
  if (failed) return wrong('persistence', `${failed} failed; the server may refuse writes.`, advice);
  if (of('aof_enabled') === '1') return ok('persistence', 'Append-only file.');
  return warning(
    'persistence',
    'No append-only file: after a crash, the conversations since the last snapshot are gone.',
    'Set appendonly yes where a conversation must survive a restart.',
  );
}

function replicasOf(of: Info): Finding[] {
  const replicas = Array.from({ length: Number(of('connected_slaves')) }, (_, n) => {
    const fields: Record<string, string | undefined> = Object.fromEntries(
      of(`slave${n}`)
        .split(',')
        .map((field) => field.split('=')),
    );
    return { name: `${fields['ip']}:${fields['port']}`, state: fields['state'], lag: Number(fields['lag']) };
  });
  const advice = 'Run one, so that a server that dies does not take all conversations with it.';
  if (replicas.length === 0) return [warning('replicas', 'There is no replica.', advice)];
  return replicas.map(({ name, state, lag }) =>
    state === 'online' && lag <= LAG_SECONDS
      ? ok('replica', `${name}, last heard of ${lag} s ago.`)
      : warning(
          'replica',
          `${name} is ${state === 'online' ? `${lag} s behind` : `not ready (${state})`}.`,
          'Look at its log and the network between the two.',
        ),
  );
}
