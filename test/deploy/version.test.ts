import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FUNCTIONS, LIBRARY_NAME, LIBRARY_SOURCE, LIBRARY_VERSION } from '../../src/conversation.gen.ts';
import { SOURCE, withLibrary } from '../support/library.ts';

const test = suite('the library on the server');
const it = withLibrary(test);

it('conv_version answers the version, read-only too', async ({ call, read }) => {
  assert.is(await call('version', []), '1.0.0');
  assert.is(await read('version', []), '1.0.0');
  assert.is(LIBRARY_VERSION, '1.0.0');
});

it('the functions and flags that the server lists are those that were generated', async ({ redis }) => {
  const [listed] = (await redis.function('LIST', 'LIBRARYNAME', LIBRARY_NAME)) as unknown[];
  const found = (named(listed)['functions'] as unknown[]).map(named).map(({ name, flags }) => ({ name, flags }));
  assert.equal(found.sort(byName), [...FUNCTIONS].map(({ name, flags }) => ({ name, flags: [...flags] })).sort(byName));
});

it('the eleven functions are there, and five have a flag', () => {
  const flags = Object.fromEntries(FUNCTIONS.map(({ name, flags }) => [name, flags.join()]));
  assert.equal(flags, {
    conv_answer: '',
    conv_claim: '',
    conv_due: 'allow-oom',
    conv_get: 'no-writes',
    conv_get_by_job: 'allow-oom',
    conv_hand_over: '',
    conv_remove: 'allow-oom',
    conv_set: '',
    conv_set_pending: '',
    conv_update: '',
    conv_version: 'no-writes',
  });
  return Promise.resolve();
});

it('only conv_get and conv_version can be called read-only', async ({ read }) => {
  for (const { name, flags } of FUNCTIONS) {
    const message = await read(name.slice('conv_'.length), []).then(String, String);
    assert.is(/write flag|no-writes/.test(message), !(flags as readonly string[]).includes('no-writes'), name);
  }
});

it('the generated source is the Lua file', async ({ redis }) => {
  assert.is(LIBRARY_SOURCE, SOURCE);
  const [listed] = (await redis.function('LIST', 'LIBRARYNAME', LIBRARY_NAME, 'WITHCODE')) as unknown[];
  assert.is(named(listed)['library_code'], SOURCE);
});

/** FUNCTION LIST gives objects in RESP3 and flat arrays of names and values in RESP2. */
function named(item: unknown): Record<string, unknown> {
  if (!Array.isArray(item)) return item as Record<string, unknown>;
  return Object.fromEntries(item.flatMap((name, at) => (at % 2 === 0 ? [[name, item[at + 1]]] : [])));
}

function byName(a: { name: unknown }, b: { name: unknown }): number {
  return String(a.name) < String(b.name) ? -1 : 1;
}

test.run();
