import { Help } from 'commander';
import type { Redis } from 'ioredis';
import { modeOf, onMasters } from '../cluster/masters.ts';
import { isConversationError } from '../errors.ts';
import { checkKeyspace } from '../keys/prefix.ts';
import { LIMIT_MS } from './address.ts';
import { type Server, type Store, withServer, withStore } from './connect.ts';
import { type Finding, ok, warning, wrong } from './doctor/finding.ts';
import { rightsFindings } from './doctor/rights.ts';
import { permitted, serverFindings } from './doctor/server.ts';
import { storedFindings } from './doctor/stored.ts';
import { Failure, thingsWrong, USAGE_ERROR } from './failure.ts';
import { shownJson, styled, terminalWidth } from './print.ts';
import { progress } from './progress.ts';
import { reasonOf } from './reason.ts';
import type { Values } from './values.ts';

const MARKS = { ok: styled('green', '✓'), warning: styled('yellow', '!'), wrong: styled('red', '✗') } as const;
/** Where the text begins, behind the mark and what was checked. */
const INDENT = ' '.repeat(15);

/** Prints what is wrong with the server, the rights and the stored keys. */
export async function doctor(values: Values): Promise<void> {
  let failures = 0;
  const print = (findings: readonly Finding[], server: string) => {
    failures += findings.filter(({ level }) => level === 'wrong').length;
    for (const finding of findings) console.log(values.json ? shownJson({ server, ...finding }) : told(finding));
  };
  let wereAllAsked = true;
  await withServer(values, async (server) => {
    for (const { address, findings, wasAsked } of await lookAtServers(server, values)) {
      if (!values.json) console.log(styled('bold', address));
      print(findings, address);
      wereAllAsked &&= wasAsked;
    }
  });
  print(wereAllAsked ? await keysOf(values) : [UNSEEN], '');
  if (failures > 0) throw thingsWrong(failures);
}

async function lookAtServers(server: Server, { prefix = '', sharded = false, user, stream }: Values) {
  const { client, name, tls } = server;
  const cluster = (await modeOf(client)) === 'cluster';
  const space = checkKeyspace({ prefix, sharded }, cluster, '');
  const look = async (master: Redis, address: string) => {
    const rights = permitted('rights', rightsFindings(master, space, { user, cluster, stream }));
    const moving = cluster ? movingSlots(master, address) : [];
    return { findings: (await Promise.all([serverFindings(master), moving, rights])).flat() };
  };
  const masters = (await onMasters(client, look)).map((result) => {
    const address = cluster ? result.address : name;
    if (!('error' in result)) return { address, findings: result.findings, wasAsked: true };
    if (!cluster) throw result.error;
    const reason = reasonOf(result.error, { tls, limitMs: LIMIT_MS });
    const advice = 'Look whether it runs, and whether it knows this user.';
    return { address, findings: [wrong('server', `Could not be asked: ${reason}`, advice)], wasAsked: false };
  });
  masters.sort((a, b) => (a.address < b.address ? -1 : 1));
  if (!cluster) return masters;
  return [{ address: 'cluster', findings: await permitted('slots', slotsOf(client)), wasAsked: true }, ...masters];
}

async function slotsOf(client: Redis): Promise<Finding[]> {
  const info = String(await client.cluster('INFO'));
  const state = /^cluster_state:(\w+)/m.exec(info)?.[1];
  const assigned = /^cluster_slots_ok:(\d+)/m.exec(info)?.[1];
  if (state === 'ok') return [ok('slots', `All ${assigned} are served.`)];
  return [
    wrong(
      'slots',
      `The cluster is down: ${assigned} of 16384 slots are served.`,
      'Bring back the masters that are missing, or let a replica take over: redis-cli --cluster check.',
    ),
  ];
}

const AGAIN = 'Mend that, then look again.';
const UNSEEN = warning('keys', 'Not looked at, because not every master could be asked.', AGAIN);

/** A move that was broken off leaves a slot that serves no call which names two of its keys. */
async function movingSlots(master: Redis, address: string): Promise<Finding[]> {
  const own = /^.*\bmyself\b.*$/m.exec(String(await master.cluster('NODES')))?.[0] ?? '';
  // `[slot->-node]` and `[slot-<-node]`
  const slots = [...own.matchAll(/\[(\d+)-[<>]-/g)].map(([, slot]) => slot);
  if (slots.length === 0) return [];
  const some = `${slots.slice(0, 5).join(', ')}${slots.length > 5 ? ` and ${slots.length - 5} more` : ''}`;
  const found = `On the move: ${some}. Calls for a conversation in it wait or fail meanwhile.`;
  return [warning('slots', found, `Where nobody moves slots now: redis-cli --cluster fix ${address}`)];
}

async function keysOf(values: Values): Promise<Finding[]> {
  try {
    return await withStore(values, lookAtKeys);
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode === USAGE_ERROR) throw error;
    return [wrong('keys', `Not looked at to the end. ${error.message}`, AGAIN)];
  }
}

async function lookAtKeys(store: Store): Promise<Finding[]> {
  let looked = 0;
  const bar = progress(() => `${looked.toLocaleString('en')} keys looked at. Ctrl-C ends it.`);
  try {
    await store.connection.ready();
    return await permitted(
      'keys',
      storedFindings(store, (count) => {
        looked = count;
      }),
    );
  } catch (error) {
    const codes = ['LIBRARY_MISSING', 'LIBRARY_OUTDATED', 'LIBRARY_TOO_NEW', 'LIBRARY_FOREIGN'] as const;
    if (!isConversationError(error, ...codes)) throw error;
    return [warning('keys', 'Not looked at: that takes the library.', 'Load it, then look again.')];
  } finally {
    bar.end();
  }
}

function told({ check, level, found, advice, command }: Finding): string {
  // In a pipe each text is one line.
  const width = Math.min(terminalWidth(), Number.MAX_SAFE_INTEGER) - INDENT.length;
  const inLines = (text: string) => new Help().boxWrap(text, width).replaceAll('\n', `\n${INDENT}`);
  const lines = [`${MARKS[level]} ${check.padEnd(11)}  ${inLines(found)}`];
  if (advice !== undefined) lines.push(INDENT + styled('dim', inLines(advice)));
  // Broken into lines it could not be copied.
  if (command !== undefined) lines.push(INDENT + command);
  return lines.join('\n');
}
