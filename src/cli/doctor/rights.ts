import type { Redis } from 'ioredis';
import { conversationKey, furtherKeys, jobIndexKey } from '../../keys/conversation-keys.ts';
import { type Keyspace, newJobId, prefixOf } from '../../keys/prefix.ts';
import { type Finding, ok, warning, wrong } from './finding.ts';

const CHANNEL = { platform: 'doctor', channelId: 'doctor' };
const FOR_CLUSTER = [['CLUSTER', 'SLOTS'], ['CLUSTER', 'INFO'], ['CLUSTER', 'NODES'], ['ASKING'], ['READONLY']];

/** Asks the server whether a user may run all commands of the store, on all its keys (ACL DRYRUN). Nothing is run. */
export async function rightsFindings(
  server: Redis,
  space: Keyspace,
  { user, cluster, stream }: { user: string | undefined; cluster: boolean; stream: string | undefined },
): Promise<Finding[]> {
  const name = user ?? String(await server.call('ACL', 'WHOAMI'));
  const calls = [...neededCalls(space, stream), ...(cluster ? FOR_CLUSTER : [])];
  const replies = await Promise.all(calls.map((call) => server.call('ACL', 'DRYRUN', name, ...call)));
  const refused = calls.filter((_, at) => replies[at] !== 'OK');
  if (refused.length === 0) return [ok('rights', `User ${name} has all rights that the store needs.`)];
  // No app can do without it. Somebody on call needs no such right.
  if (user === undefined && replies.some((reply) => /'fcall' command/.test(String(reply)))) {
    return [
      warning(
        'rights',
        `User ${name} only looks, so its rights are not those of an app.`,
        "Name the app's user to have its rights checked: --user app.",
      ),
    ];
  }
  const lacking = [...new Set(refused.map(([command, first]) => `${command} ${first ?? ''}`.trim()))];
  return [
    wrong(
      'rights',
      `User ${name} may not run what the store needs: ${lacking.slice(0, 5).join(', ')}${lacking.length > 5 ? ` and ${lacking.length - 5} more` : ''}.`,
      user === undefined
        ? 'If this is not the user of the apps, name that one: --user app. Otherwise see the line "app" in docs/security.md.'
        : 'Give it the rights of the line "app" in docs/security.md, with the prefix before each pattern of keys.',
    ),
  ];
}

/** Every command that the functions and the store run, on every kind of key. */
function neededCalls(space: Keyspace, stream: string | undefined): string[][] {
  const prefix = prefixOf(space, CHANNEL);
  const conversation = conversationKey(prefix, CHANNEL.platform, CHANNEL.channelId);
  const job = jobIndexKey(prefix, newJobId(CHANNEL));
  const { inbox, handled, watch } = furtherKeys(prefix, conversation);
  const deadline = (key: string) => ['PEXPIREAT', key, '1'];
  const pair = [conversation, job].flatMap((key) => [
    ['GET', key],
    ['SET', key, 'x', 'PXAT', '1'],
    ['DEL', key],
    deadline(key),
    ['PEXPIRETIME', key],
  ]);
  const streams = [inbox, ...(stream === undefined ? [] : [prefix + stream])].flatMap((key) => [
    ['XADD', key, '*', 'field', 'value'],
    ['EXISTS', key],
    deadline(key),
  ]);
  return [
    ['FCALL', 'conv_claim', '2', conversation, job],
    ['FCALL_RO', 'conv_get', '1', conversation],
    ...pair,
    ...streams,
    ['XLEN', inbox],
    ['XRANGE', inbox, '-', '+'],
    ['ZADD', handled, '1', 'x'],
    ['ZCARD', handled],
    ['ZSCORE', handled, 'x'],
    ['ZREMRANGEBYSCORE', handled, '0', '1'],
    ['ZREMRANGEBYRANK', handled, '0', '1'],
    deadline(handled),
    ['ZADD', watch, '1', 'x'],
    ['ZREM', watch, 'x'],
    ['ZSCORE', watch, 'x'],
    ['ZRANGEBYSCORE', watch, '0', '1'],
    ['TIME'],
    ['SCAN', '0'],
  ];
}
