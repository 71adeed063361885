import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, checkLibrary, loadLibrary } from '../../src/index.ts';
import { STATE } from '../support/library.ts';
import { clientOf, startAlone, stopAll } from './nodes.ts';

const test = suite('where the nodes of a cluster say that they are');
test.after(stopAll);

/** No machine has it (RFC 5737). */
const ELSEWHERE = '203.0.113.1';

test('a node that announces a host name is reached and reported by it', async () => {
  const node = await startAlone({ 'cluster-announce-hostname': 'localhost' });
  const cluster = clientOf([node]);
  assert.equal(
    (await loadLibrary(cluster)).map(({ address }) => address),
    [`localhost:${node.port}`],
  );
});

test('the addresses that a client translates are translated for the library too', async () => {
  const node = await startAlone({ 'cluster-announce-ip': ELSEWHERE });
  const { port } = node;
  const here = { host: '127.0.0.1', port };
  for (const natMap of [{ [`${ELSEWHERE}:${port}`]: here }, () => here]) {
    const cluster = clientOf([node], { natMap });
    assert.equal(
      (await loadLibrary(cluster)).map(({ address }) => address),
      [`${ELSEWHERE}:${port}`],
    );
    assert.ok((await checkLibrary(cluster)).every(({ present }) => present));
    const store = new ConversationStore(cluster, { prefix: '{t}:', load: 'auto' });
    assert.is((await store.claim(STATE)).outcome, 'claimed');
    await node.admin.flushall();
  }
});

test.run();
