import { Help } from 'commander';
import type { Redis } from 'ioredis';
import { onMasters } from '../cluster/masters.ts';
import { checkKeyspace } from '../keys.ts';
import { thingsWrong, type Values } from './command.ts';
import { type Server, withServer, withStore } from './connect.ts';
import { type Finding, ok, some, warning, wrong } from './doctor/finding.ts';
import { rightsFindings } from './doctor/rights.ts';
import { clockOf, fromInfo, libraryOf, permitted } from './doctor/server.ts';
import { storedFindings } from './doctor/stored.ts';
import { shownJson, styled, terminalWidth } from './print.ts';
import { reasonOf } from './reason.ts';
import { withProgress } from './screen.ts';

const MARKS = { ok: ['green', '✓'], warning: ['yellow', '!'], wrong: ['red', '✗'] } as const;
/** Where the text begins, behind the mark and what was checked. */
const INDENT = ' '.repeat(15);

const NEEDS = 'Not checked: that takes every server, with the library.';
const UNSEEN = warning('keys', NEEDS, 'Mend that, then look again.');

export async function doctor(values: Values): Promise<void> {
  const all: Finding[] = [];
  const print = (findings: readonly Finding[], server: string) => {
    all.push(...findings);
    for (const finding of findings) console.log(values.json ? shownJson({ server, ...finding }) : told(finding));
  };
  await withServer(values, async (server) => {
    for (const { address, findings } of await lookAtServers(server, values)) {
      if (!values.json) console.log(styled('bold', address));
      print(findings, address);
    }
  });
  const isServed = !all.some(({ level, check }) => level === 'wrong' && (check === 'server' || check === 'library'));
  if (!isServed) print([UNSEEN], '');
  else {
    await withStore(values, async (store) => {
      const look = () => permitted('keys', storedFindings(store));
      print(await withProgress(() => 'Looking at the stored keys. Ctrl-C ends it.', look), '');
    });
  }
  const failures = all.filter(({ level }) => level === 'wrong').length;
  if (failures > 0) throw thingsWrong(failures);
}

async function lookAtServers(server: Server, values: Values) {
  const { client, name, tls, isCluster: cluster } = server;
  const { user, stream } = values;
  const space = checkKeyspace(values, cluster);
  const masters = await onMasters(client, async (master, address) => {
    const findings = await Promise.all([
      permitted('server', master.info().then(fromInfo)),
      permitted('library', libraryOf(master)),
      permitted('clock', clockOf(master)),
      cluster ? movingSlots(master, address) : [],
      permitted('rights', rightsFindings(master, space, { user, cluster, stream })),
    ]);
    return { findings: findings.flat() };
  });
  const looked = masters.map((result) => {
    if (!('error' in result)) return { ...result, address: cluster ? result.address : name };
    if (!cluster) throw result.error;
    const found = `Could not be asked: ${reasonOf(result.error, tls)}`;
    const advice = 'Look whether it runs, and whether it knows this user.';
    return { address: result.address, findings: [wrong('server', found, advice)] };
  });
  if (cluster) looked.unshift({ address: 'cluster', findings: await permitted('slots', slotsOf(client)) });
  return looked;
}

async function slotsOf(client: Redis): Promise<Finding[]> {
  const info = String(await client.cluster('INFO'));
  const assigned = /^cluster_slots_ok:(\d+)/m.exec(info)?.[1];
  if (/^cluster_state:ok/m.test(info)) return [ok('slots', `All ${assigned} are served.`)];
  const advice = 'Bring back the masters that are missing, or let a replica take over: redis-cli --cluster check.';
  return [wrong('slots', `The cluster is down: ${assigned} of 16384 slots are served.`, advice)];
}

/** A move that was broken off leaves a slot that serves no call which names two of its keys. */
async function movingSlots(master: Redis, address: string): Promise<Finding[]> {
  const own = /^.*\bmyself\b.*$/m.exec(String(await master.cluster('NODES')))?.[0] ?? '';
  // `[slot->-node]` and `[slot-<-node]`
  const slots = own.match(/(?<=\[)\d+(?=-[<>]-)/g);
  if (!slots) return [];
  const found = `On the move: ${some(slots)}. Calls for a conversation in it wait or fail meanwhile.`;
  return [warning('slots', found, `Where nobody moves slots now: redis-cli --cluster fix ${address}`)];
}

function told({ check, level, found, advice, command }: Finding): string {
  // In a pipe each text is one line.
  const width = Math.min(terminalWidth(), Number.MAX_SAFE_INTEGER) - INDENT.length;
  const inLines = (text: string) => new Help().boxWrap(text, width).replaceAll('\n', `\n${INDENT}`);
  const [style, mark] = MARKS[level];
  const lines = [`${styled(style, mark)} ${check.padEnd(11)}  ${inLines(found)}`];
  if (advice !== undefined) lines.push(INDENT + styled('dim', inLines(advice)));
  // Broken into lines it could not be copied.
  if (command !== undefined) lines.push(INDENT + command);
  return lines.join('\n');
}
