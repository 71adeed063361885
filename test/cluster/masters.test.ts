import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConversationStore, checkLibrary, LIBRARY_VERSION, loadLibrary } from '../../src/index.ts';
import { cli } from '../cli/cli.ts';
import { libraryOf } from '../deploy/versions.ts';
import { STATE } from '../support/library.ts';
import { rejection } from '../support/rejection.ts';
import { clientOf, introduce, kill, type Node, startAlone, startNode, stopAll, versionOn } from './nodes.ts';

const test = suite('the library on every master of a cluster');
const TAGGED = { prefix: '{t}:' };
const MISSING = { present: false, found: null, current: false, loaded: false, foreign: null };
const CURRENT = { present: true, found: LIBRARY_VERSION, current: true, loaded: false, foreign: null };
/** No machine has it (RFC 5737). */
const ELSEWHERE = '203.0.113.1';

let home: Node;
/** A master without slots; in the cluster from the third test on. */
let idle: Node;
let places: string[];

test.before(async () => {
  [home, idle] = await Promise.all([startAlone(), startNode()]);
  places = [home, idle].map(({ port }) => `127.0.0.1:${port}`);
});
test.after(stopAll);
test.before.each(async () => {
  await home.admin.flushall();
  await home.admin.function('FLUSH');
});

const run = (command: string) => cli([command, '--url', `redis://${places[0]}`]);

test('a node that announces a host name is reached and reported by it', async () => {
  await home.admin.config('SET', 'cluster-announce-hostname', 'localhost');
  const [report] = await loadLibrary(clientOf([home]));
  assert.is(report?.address, `localhost:${home.port}`);
  await home.admin.config('SET', 'cluster-announce-hostname', '');
});

test('the addresses that a client translates are translated for the library too', async () => {
  await home.admin.config('SET', 'cluster-announce-ip', ELSEWHERE);
  const here = { host: '127.0.0.1', port: home.port };
  for (const natMap of [{ [`${ELSEWHERE}:${home.port}`]: here }, () => here]) {
    const cluster = clientOf([home], { natMap });
    assert.equal(await loadLibrary(cluster), [{ address: `${ELSEWHERE}:${home.port}`, ...MISSING, loaded: true }]);
    assert.ok((await checkLibrary(cluster)).every(({ present }) => present));
    const store = new ConversationStore(cluster, TAGGED);
    assert.is((await store.claim(STATE)).outcome, 'claimed');
    await home.admin.flushall();
    await home.admin.function('FLUSH');
  }
  await home.admin.config('SET', 'cluster-announce-ip', '127.0.0.1');
});

test('a master without slots gets the library too', async () => {
  await introduce([home], idle);
  const cluster = clientOf([home]);
  const both = (report: object) => new Set(places.map((address) => ({ address, ...report })));
  assert.equal(new Set(await checkLibrary(cluster)), both(MISSING));
  assert.equal(new Set(await loadLibrary(cluster)), both({ ...MISSING, loaded: true }));
  assert.equal(new Set(await checkLibrary(cluster)), both(CURRENT));

  await idle.admin.function('FLUSH');
  const checked = await run('check');
  assert.match(checked.stdout, `${places[1]}  there is no library conversation\n`);
  assert.match(checked.stdout, `${places[0]}  conversation ${LIBRARY_VERSION} is there\n`);
  assert.match(checked.stderr, /^\S+: apps of conversation \S+ are not served/);
  assert.is(checked.code, 1);
  const loaded = await run('load');
  assert.match(loaded.stdout, /loaded, there was none\n/);
  assert.match(loaded.stdout, / is there\n/);
  assert.is(loaded.code, 0);

  await idle.admin.function('FLUSH');
  await new ConversationStore(cluster, TAGGED).ready();
  assert.is(await versionOn(idle), LIBRARY_VERSION);
});

test('a newer version on one master stops the load on all', async () => {
  await idle.admin.function('LOAD', 'REPLACE', libraryOf('9.0.0'));
  const error = await rejection(() => loadLibrary(clientOf([home])));
  assert.is(error.code, 'LIBRARY_TOO_NEW');
  assert.match(error.message, `${places[1]} has conversation 9.0.0, which is newer`);
  assert.is(await versionOn(home), null);
});

test('a master that is down is named, and keeps nobody from the others', async () => {
  await kill(idle);
  const error = await rejection(() => loadLibrary(clientOf([home])));
  assert.instance(error, AggregateError);
  assert.match(error.message, `library conversation: 1 of 2 masters failed; ${places[1]}: connect ECONNREFUSED`);
  assert.is(await versionOn(home), LIBRARY_VERSION);
  const checked = await run('check');
  assert.match(checked.stdout, `${places[1]}  failed: the connection was refused; no server listens there.\n`);
  assert.match(checked.stderr, /^\S+: apps of conversation \S+ are not served/);
  await home.admin.function('FLUSH');
  assert.is((await new ConversationStore(clientOf([home]), TAGGED).claim(STATE)).outcome, 'claimed');
});

test.run();
