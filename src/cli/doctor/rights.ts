import type { Redis } from 'ioredis';
import { furtherKeys, type Keyspace, newJobId, pairKeys } from '../../keys.ts';
import { type Finding, ok, some, warning, wrong } from './finding.ts';

const CHANNEL = { platform: 'doctor', channelId: 'doctor' };

const PAIR = [
  ...['FCALL conv_claim 1 KEY', 'FCALL_RO conv_get 1 KEY', 'GET KEY', 'SET KEY x PXAT 1', 'DEL KEY'],
  ...['PEXPIREAT KEY 1', 'PEXPIRETIME KEY'],
];
const STREAM = ['XADD KEY * field value', 'XLEN KEY', 'PEXPIRETIME KEY', 'PEXPIREAT KEY 1'];
/** Every command that the functions and the store run, by the key that it gets in place of KEY. */
const NEEDED = {
  conversation: PAIR,
  job: PAIR,
  inbox: [...STREAM, 'XRANGE KEY - +', 'XTRIM KEY MINID 0', 'DEL KEY'],
  stream: STREAM,
  handled: [
    ...['ZADD KEY 1 x', 'ZCARD KEY', 'ZSCORE KEY x', 'PEXPIREAT KEY 1'],
    ...['ZREMRANGEBYSCORE KEY 0 1', 'ZREMRANGEBYRANK KEY 0 1'],
  ],
  watch: ['ZADD KEY 1 x', 'ZREM KEY x', 'ZCARD KEY', 'ZRANGEBYSCORE KEY 0 1'],
  server: ['TIME', 'SCAN 0'],
  cluster: ['CLUSTER SLOTS', 'CLUSTER INFO', 'CLUSTER NODES', 'ASKING', 'READONLY'],
};

/** Asks the server whether a user may run all commands of the store, on all its keys (ACL DRYRUN). Nothing is run. */
export async function rightsFindings(
  server: Redis,
  space: Keyspace,
  { user, cluster, stream }: { user: string | undefined; cluster: boolean; stream: string | undefined },
): Promise<Finding[]> {
  const name = user ?? String(await server.call('ACL', 'WHOAMI'));
  const { prefix, ...pair } = pairKeys(space, { ...CHANNEL, jobId: newJobId(CHANNEL) });
  const further = furtherKeys(prefix, pair.conversation);
  const keys = { ...pair, ...further, stream, server: '', cluster: cluster ? '' : undefined };
  const calls = Object.entries(NEEDED).flatMap(([one, commands]) => {
    const key = keys[one as keyof typeof NEEDED];
    if (key === undefined) return [];
    return commands.map((command) => command.split(' ').map((word) => (word === 'KEY' ? key : word)));
  });
  const replies = await Promise.all(calls.map((call) => server.call('ACL', 'DRYRUN', name, ...call)));
  const refused = calls.filter((_, at) => replies[at] !== 'OK');
  if (refused.length === 0) return [ok('rights', `User ${name} has all rights that the store needs.`)];
  // No app can do without it. Somebody on call needs no such right.
  if (user === undefined && replies.some((reply) => /'fcall' command/.test(String(reply)))) {
    const found = `User ${name} is read-only, so its rights are not those of an app.`;
    return [warning('rights', found, "Name the app's user to have its rights checked: --user app.")];
  }
  const lacking = some([...new Set(refused.map(([command, first]) => `${command} ${first ?? ''}`.trim()))]);
  const other = user === undefined ? 'If this is not the user of the apps, name that one: --user app. Otherwise: ' : '';
  const give = 'Give it the rights of the line "app" in docs/security.md, with the prefix before each pattern of keys.';
  return [wrong('rights', `User ${name} may not run what the store needs: ${lacking}.`, other + give)];
}
