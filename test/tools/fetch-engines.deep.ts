import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fetchEngines } from '../../scripts/test/engines/fetch.ts';
import { prove } from '../../scripts/test/engines/prove.ts';

const test = suite<{ folder: string }>('fetching engines');

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'fetch-engines-'));
});

test.after.each(async ({ folder }) => {
  await rm(folder, { recursive: true, force: true });
});

test("what can't be fetched is named with its reason", async ({ folder }) => {
  const sources = join(folder, 'debian.list');
  await writeFile(sources, 'deb http://127.0.0.1:1/debian bookworm main\n');
  await writeFile(join(folder, 'apt.conf'), `Dir::Etc::sourcelist "${sources}"; Dir::Etc::sourceparts "/dev/null";\n`);
  const before = process.env['APT_CONFIG'];
  process.env['APT_CONFIG'] = join(folder, 'apt.conf');
  try {
    const engines = await fetchEngines(join(folder, 'cache'));
    assert.equal(
      engines.map(({ name }) => name),
      ['redis 7.0', 'redis 8.0', 'valkey 8.0', 'valkey 8.1', 'valkey 9.1'],
    );
    for (const engine of engines) {
      const reason = 'missing' in engine ? engine.missing : '';
      assert.match(reason, /Could not connect to 127\.0\.0\.1|^needs Debian's |^is fetched for amd64/);
    }
    assert.not.ok(existsSync(join(folder, 'cache')), 'nothing is left behind');
  } finally {
    if (before === undefined) delete process.env['APT_CONFIG'];
    else process.env['APT_CONFIG'] = before;
  }
});

test('a server that ends when it is started is none', async ({ folder }) => {
  await mkdir(join(folder, 'valkey-9.1'));
  await writeFile(join(folder, 'valkey-9.1/cli'), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(join(folder, 'valkey-9.1/server'), '#!/bin/sh\nexit 3\n', { mode: 0o755 });
  const reason = await prove('valkey 9.1', folder).then(
    () => 'it was taken for a server',
    (error: Error) => error.message,
  );
  assert.is(reason, 'does not start: ended with 3');
});

test.run();
