import type { Redis } from 'ioredis';
import { conversationKey, furtherKeys, jobIndexKey } from '../../keys/conversation-keys.ts';
import { type Keyspace, newJobId, prefixOf } from '../../keys/prefix.ts';
import { type Finding, ok, some, warning, wrong } from './finding.ts';

const CHANNEL = { platform: 'doctor', channelId: 'doctor' };

// Every command that the functions and the store run, by the key that it gets in place of KEY.
const PAIR = ['GET KEY', 'SET KEY x PXAT 1', 'DEL KEY', 'PEXPIREAT KEY 1', 'PEXPIRETIME KEY'];
const STREAM = ['XADD KEY * field value', 'XLEN KEY', 'PEXPIRETIME KEY', 'PEXPIREAT KEY 1'];
const INBOX = [...STREAM, 'XRANGE KEY - +', 'XTRIM KEY MINID 0', 'DEL KEY'];
const HANDLED = [
  ...['ZADD KEY 1 x', 'ZCARD KEY', 'ZSCORE KEY x', 'PEXPIREAT KEY 1'],
  ...['ZREMRANGEBYSCORE KEY 0 1', 'ZREMRANGEBYRANK KEY 0 1'],
];
const WATCH = ['ZADD KEY 1 x', 'ZREM KEY x', 'ZCARD KEY', 'ZRANGEBYSCORE KEY 0 1'];
const CLUSTER = ['CLUSTER SLOTS', 'CLUSTER INFO', 'CLUSTER NODES', 'ASKING', 'READONLY'];

/** Asks the server whether a user may run all commands of the store, on all its keys (ACL DRYRUN). Nothing is run. */
export async function rightsFindings(
  server: Redis,
  space: Keyspace,
  { user, cluster, stream }: { user: string | undefined; cluster: boolean; stream: string | undefined },
): Promise<Finding[]> {
  const name = user ?? String(await server.call('ACL', 'WHOAMI'));
  const calls = [...neededCalls(space, stream), ...(cluster ? on('', CLUSTER) : [])];
  const replies = await Promise.all(calls.map((call) => server.call('ACL', 'DRYRUN', name, ...call)));
  const refused = calls.filter((_, at) => replies[at] !== 'OK');
  if (refused.length === 0) return [ok('rights', `User ${name} has all rights that the store needs.`)];
  // No app can do without it. Somebody on call needs no such right.
  if (user === undefined && replies.some((reply) => /'fcall' command/.test(String(reply)))) {
    const found = `User ${name} is read-only, so its rights are not those of an app.`;
    return [warning('rights', found, "Name the app's user to have its rights checked: --user app.")];
  }
  const lacking = some([...new Set(refused.map(([command, first]) => `${command} ${first ?? ''}`.trim()))]);
  const give = 'ive it the rights of the line "app" in docs/security.md, with the prefix before each pattern of keys.';
  const other = 'If this is not the user of the apps, name that one: --user app. Otherwise g';
  const advice = `${user === undefined ? other : 'G'}${give}`;
  return [wrong('rights', `User ${name} may not run what the store needs: ${lacking}.`, advice)];
}

function neededCalls(space: Keyspace, stream: string | undefined): string[][] {
  const prefix = prefixOf(space, CHANNEL);
  const conversation = conversationKey(prefix, CHANNEL.platform, CHANNEL.channelId);
  const job = jobIndexKey(prefix, newJobId(CHANNEL));
  const { inbox, handled, watch } = furtherKeys(prefix, conversation);
  return [
    ['FCALL', 'conv_claim', '2', conversation, job],
    ...on(conversation, ['FCALL_RO conv_get 1 KEY', ...PAIR]),
    ...on(job, PAIR),
    ...on(inbox, INBOX),
    ...(stream === undefined ? [] : on(stream, STREAM)),
    ...on(handled, HANDLED),
    ...on(watch, WATCH),
    ...on('', ['TIME', 'SCAN 0']),
  ];
}

function on(key: string, calls: string[]): string[][] {
  return calls.map((call) => call.split(' ').map((word) => (word === 'KEY' ? key : word)));
}
