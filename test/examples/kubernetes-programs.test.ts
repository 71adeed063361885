import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import type { Job } from 'kubernetes-types/batch/v1.js';
import type { Container } from 'kubernetes-types/core/v1.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pageOf, words } from '../docs/pages.ts';
import { withRedis } from '../support/redis.ts';
import { BOT_FOLDER, type Manifest, readManifests, schemaErrors } from './manifests.ts';

const test = suite('the programs that the manifests start');
const redis = withRedis(test);
const [deployment] = (await readManifests('bot.yaml')) as [Deployment];
const [job] = (await readManifests('job.yaml')) as [Job];
const containers = [deployment, job].map((manifest) => manifest.spec?.template.spec?.containers[0] as Container);
const [bot, worker] = containers as [Container, Container];

/** Variables that have a default which suits the cluster, or that only a test of the bot sets. */
const NOT_GIVEN = /^(HOST|SLACK_API_URL|\w+_MS)$/;

/** The source of the program that a container starts, with the files of the example that it imports. */
function sourceOf({ command = [] }: Container): string {
  const [node, file = ''] = command;
  assert.equal([node, command.length], ['node', 2]);
  const files = new Set([file]);
  let source = '';
  // A set's iterator also comes to what is added meanwhile.
  for (const name of files) {
    const text = readFileSync(join(BOT_FOLDER, name), 'utf8');
    for (const [, imported = ''] of text.matchAll(/from '\.\/([\w.-]+)'/g)) files.add(imported);
    source += text;
  }
  return source;
}

/** The names of the environment variables that a source reads, in each way that the example reads them. */
function variablesOf(source: string): Set<string> {
  const names = [...source.matchAll(/process\.env\['(\w+)'\]|process\.env\.(\w+)|milliseconds\('(\w+)'/g)];
  const destructured = [...source.matchAll(/\{([^{}]*)\} = process\.env/g)].flatMap(([, list = '']) => [
    ...list.matchAll(/\b([A-Z][A-Z_]+)\b/g),
  ]);
  return new Set([...names, ...destructured].map(([, ...found]) => found.find((name) => name) ?? ''));
}

for (const container of [bot, worker]) {
  test(`${container.name} reads each variable that it is given, and is given each that it needs`, () => {
    const source = sourceOf(container);
    const given = container.env?.map(({ name }) => name) ?? [];
    const read = variablesOf(source);
    assert.equal(
      given.filter((name) => !read.has(name)),
      [],
    );
    const needs = [...read].filter((name) => !NOT_GIVEN.test(name) && !given.includes(name));
    assert.equal(needs, []);
  });
}

test('the bot answers both probes', () => {
  const source = sourceOf(bot);
  for (const probe of [bot.livenessProbe, bot.readinessProbe]) assert.match(source, `path: '${probe?.httpGet?.path}'`);
});

test('the bot makes a valid Job of job.yaml, with the same in name, label and variables', async () => {
  const { fillIn } = await import(pathToFileURL(join(BOT_FOLDER, 'spawn.ts')).href);
  const manifest = readFileSync(join(BOT_FOLDER, 'kubernetes', 'job.yaml'), 'utf8');
  const made = fillIn(manifest, { jobId: 'job-1', channelId: 'C1:1.1', prompt: 'fix: "it"' }) as Job;
  assert.equal(await schemaErrors([made as Manifest]), ['']);
  assert.is(made.metadata?.name, 'job-1');
  for (const metadata of [made.metadata, made.spec?.template.metadata]) {
    assert.is(metadata?.labels?.['conversation-state/job'], 'job-1');
  }
  const env = made.spec?.template.spec?.containers[0]?.env?.map(({ name, value }) => [name, value]);
  assert.equal(Object.fromEntries(env ?? []), {
    REDIS_URL: undefined,
    JOB_ID: 'job-1',
    CHANNEL_ID: 'C1:1.1',
    PROMPT: 'fix: "it"',
    LAST_SEEN: '',
  });
});

test('the user that the pages make may give each command on streams that the programs give', async () => {
  const server = await redis.connect();
  const lines = ['docs/security.md', 'docs/kubernetes.md'].map((path) =>
    /^redis-cli (ACL SETUSER app .*)$/m.exec(pageOf(path).text),
  );
  for (const line of lines) await server.call(...(words(`redis-cli ${line?.[1]}`) as [string, ...string[]]));
  try {
    const rights = JSON.stringify(await server.call('ACL', 'GETUSER', 'app'));
    const calls = `${sourceOf(bot)}${sourceOf(worker)}`.matchAll(/\.(x[a-z]+|multi|exec)\(/g);
    const used = new Set([...calls].map(([, command]) => command));
    for (const command of used) assert.match(rights, new RegExp(`\\+${command}[ |"]`));
    assert.match(rights, /~job-events/);
    assert.ok(used.size >= 5);
  } finally {
    await server.call('ACL', 'DELUSER', 'app');
  }
});

test.run();
