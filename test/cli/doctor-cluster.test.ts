import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, type Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../scripts/redis/free-port.ts';
import { ConversationStore } from '../../src/index.ts';
import { withRedis } from '../support/redis.ts';
import { cli } from './cli.ts';

const test = suite('doctor and list on a cluster');
const server = withRedis(test);
const STATE = { platform: 'slack', channelId: 'C1', userId: 'U1', project: 'p', ticketId: 1, startedAt: new Date() };
let node: Redis;
let cluster: Cluster;
let env: { REDIS_URL: string };

async function settled(state: string): Promise<void> {
  while (!String(await node.cluster('INFO')).includes(`cluster_state:${state}`)) await sleep(20);
}

test.before(async () => {
  const bus = String(await freePort());
  const own = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', bus];
  const running = await server.server(...own);
  node = await server.connect({}, running);
  await node.cluster('ADDSLOTSRANGE', 0, 16_383);
  await settled('ok');
  env = { REDIS_URL: running.url };
  cluster = new Cluster([running.url]);
  await new ConversationStore(cluster, { sharded: true }).claim({
    ...STATE,
    jobId: new ConversationStore(cluster, { sharded: true }).newJobId(STATE),
  });
});
test.after(() => cluster?.disconnect());

test('doctor names the slots and each master, and finds nothing wrong with sharded conversations', async () => {
  const { stdout, code } = await cli(['doctor', '--sharded'], env);
  assert.match(stdout, /All 16384 are served/);
  assert.match(stdout, new RegExp(`127\\.0\\.0\\.1:${node.options.port}`));
  assert.match(stdout, /1 conversation/);
  assert.is(code, 0, stdout);
});

test('list shows the conversations of all masters', async () => {
  const { stdout, code } = await cli(['list', '--sharded', '--json'], env);
  assert.is(JSON.parse(stdout).channelId, 'C1');
  assert.is(code, 0);
});

test('doctor says how many slots nobody serves, and exits 1', async () => {
  await node.cluster('DELSLOTS', 0, 1, 2);
  await settled('fail');
  const { stdout, stderr, code } = await cli(['doctor', '--sharded'], env);
  assert.match(stdout, /The cluster is down: 16381 of 16384 slots are served/, stderr);
  assert.is(code, 1);
});

test.run();
