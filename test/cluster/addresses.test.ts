import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, checkLibrary, loadLibrary } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { withNodes } from './one-node.ts';

const test = suite('where the nodes of a cluster say that they are');
const nodes = withNodes(test);

/** No machine has it (RFC 5737). */
const ELSEWHERE = '203.0.113.1';

/** A cluster of one node that announces an address, and how it is known then. */
async function announcing(...address: string[]): Promise<{ node: Redis; port: number }> {
  const { client: node } = await nodes.startNode(...address);
  await node.cluster('ADDSLOTSRANGE', 0, 16_383);
  while (!String(await node.cluster('INFO')).includes('cluster_state:ok')) await sleep(20);
  return { node, port: node.options.port ?? 0 };
}

test('a node that announces a host name is reached and reported by it', async () => {
  const { node, port } = await announcing('--cluster-announce-hostname', 'localhost');
  const cluster = nodes.connect(node);
  assert.equal(
    (await loadLibrary(cluster)).map(({ address }) => address),
    [`localhost:${port}`],
  );
});

test('the addresses that a client translates are translated for the library too', async () => {
  const { node, port } = await announcing('--cluster-announce-ip', ELSEWHERE);
  const here = { host: '127.0.0.1', port };
  for (const natMap of [{ [`${ELSEWHERE}:${port}`]: here }, () => here]) {
    const cluster = nodes.connect(node, { natMap });
    assert.equal(
      (await loadLibrary(cluster)).map(({ address }) => address),
      [`${ELSEWHERE}:${port}`],
    );
    assert.ok((await checkLibrary(cluster)).every(({ present }) => present));
    const store = new ConversationStore(cluster, { prefix: '{t}:', load: 'auto' });
    assert.is((await store.claim(STATE)).outcome, 'claimed');
    await node.flushall();
  }
});

test.run();
