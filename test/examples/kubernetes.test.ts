import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import type { Job } from 'kubernetes-types/batch/v1.js';
import type { Container, PodSpec, Service, ServiceAccount } from 'kubernetes-types/core/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import type { Role, RoleBinding } from 'kubernetes-types/rbac/v1.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseAllDocuments } from 'yaml';
import { cli } from '../cli/cli.ts';
import { compile } from '../docs/compile.ts';
import { pageOf, ROOT, words } from '../docs/pages.ts';
import { withRedis } from '../support/redis.ts';

const test = suite('the manifests for Kubernetes');
const redis = withRedis(test);
const BOT_FOLDER = join(ROOT, 'examples', 'slack');

/** The objects of `kubernetes/NAME`. */
function readManifests(name: string): unknown[] {
  return parseAllDocuments(readFileSync(join(BOT_FOLDER, 'kubernetes', name), 'utf8')).map((document) => {
    // Among the errors is a key that stands there twice.
    if (document.errors[0]) throw document.errors[0];
    return document.toJS();
  });
}

const manifests = ['bot.yaml', 'job.yaml', 'load.yaml'].flatMap(readManifests);
/** Their shapes are what the first test compares with Kubernetes' types. */
type Manifests = [Deployment, Service, PodDisruptionBudget, ServiceAccount, Role, RoleBinding, Job, Job];
const [deployment, service, budget, account, role, binding, job, load] = manifests as Manifests;
const dockerfile = readFileSync(join(BOT_FOLDER, 'kubernetes', 'Dockerfile'), 'utf8');
const page = pageOf('docs/kubernetes.md').text;

const pods = [deployment, job, load].map(({ spec }) => spec?.template.spec);
const [botPod, jobPod, loadPod] = pods as [PodSpec, PodSpec, PodSpec];
const [bot] = botPod.containers as [Container];
const [loader] = botPod.initContainers as [Container];
const [worker] = jobPod.containers as [Container];
const [loadOnce] = loadPod.containers as [Container];
const containers = [loader, bot, worker, loadOnce];

const JOB = { platform: 'slack', jobId: 'job-1', channelId: 'C1:1.1', text: 'fix: "it" \n # now' };
const spawn = await import(pathToFileURL(join(BOT_FOLDER, 'spawn.ts')).href);
/** The Job that the bot makes. */
const made: Job = spawn.fillIn(readFileSync(join(BOT_FOLDER, 'kubernetes', 'job.yaml'), 'utf8'), JOB);

/** As object literals of the types that kubernetes-types makes of Kubernetes' own schemas, one a line. */
function literals(...objects: unknown[]): string {
  const lines = (objects as { apiVersion: string; kind: string }[]).map((object, n) => {
    const [version, group = 'core'] = object.apiVersion.split('/').reverse();
    const type = `import('kubernetes-types/${group.split('.')[0]}/${version}.js').${object.kind}`;
    return `export const m${n}: ${type} = ${JSON.stringify(object)};`;
  });
  return lines.join('\n');
}

test("have the members that Kubernetes' own types have, and no others", async () => {
  const misspelt = JSON.parse(JSON.stringify(deployment).replace('"readinessProbe"', '"readinessProbex"'));
  const { errors, remove } = await compile({ right: literals(...manifests, made), wrong: literals(misspelt) });
  await remove();
  const [error = '', ...others] = errors.trim().split(/\n(?! )/);
  assert.match(error, /wrong\.ts.* error .*readinessProbex.* does not exist in type 'Container'/);
  assert.equal(others, []);
});

test('a job is never run twice, and ends, but not while it waits three days for a person', () => {
  const { backoffLimit, podReplacementPolicy, activeDeadlineSeconds = 0 } = job.spec ?? {};
  assert.equal([jobPod.restartPolicy, backoffLimit, podReplacementPolicy], ['Never', 0, 'Failed']);
  assert.ok(activeDeadlineSeconds > 3 * 24 * 3600);
});

test('the bot may create jobs and look at them, and a worker may nothing', () => {
  assert.equal(role.rules, [{ apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'get'] }]);
  const { name, namespace } = account.metadata ?? {};
  assert.is(botPod.serviceAccountName, name);
  assert.equal(binding.subjects, [{ kind: 'ServiceAccount', name, namespace }]);
  assert.equal([binding.roleRef.kind, binding.roleRef.name], ['Role', role.metadata?.name]);
  assert.is(jobPod.automountServiceAccountToken, false);
});

test('no container runs as root, writes its image or gains rights', () => {
  const seccompProfile = { type: 'RuntimeDefault' };
  for (const pod of pods) {
    assert.equal(pod?.securityContext, { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, seccompProfile });
  }
  for (const { name, securityContext, resources } of containers) {
    const closed = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } };
    assert.equal(securityContext, closed, name);
    assert.ok(resources?.requests?.['memory'] && resources.limits?.['memory'], name);
  }
});

test('the selectors find the pods, and the ports have the names that are used', () => {
  const labels = deployment.spec?.template.metadata?.labels;
  assert.equal(service.spec?.selector, labels);
  assert.equal(deployment.spec?.selector.matchLabels, labels);
  assert.equal(budget.spec?.selector?.matchLabels, labels);
  assert.equal(botPod.topologySpreadConstraints?.[0]?.labelSelector?.matchLabels, labels);
  assert.not.equal(job.spec?.template.metadata?.labels?.['app'], labels?.['app']);
  const port = bot.ports?.[0];
  assert.is(service.spec?.ports?.[0]?.targetPort, port?.name);
  for (const probe of [bot.livenessProbe, bot.readinessProbe]) assert.is(probe?.httpGet?.port, port?.name);
  assert.is(bot.env?.find(({ name }) => name === 'PORT')?.value, String(port?.containerPort));
  for (const { metadata } of [deployment, service, budget, account, role, binding, load]) {
    assert.is(metadata?.namespace, 'chat');
  }
});

test('the page says how much of the grace period is left for the bot after preStop', () => {
  const grace = botPod.terminationGracePeriodSeconds ?? 0;
  const wait = bot.lifecycle?.preStop?.sleep?.seconds ?? 0;
  const [, waits, leaves, all] = /(\d+) s of `preStop`.*?(\d+) s.*?of (\d+) s/s.exec(page)?.map(Number) ?? [];
  assert.equal([waits, leaves, all], [wait, grace - wait, grace]);
  assert.ok(wait > 0);
});

test('all run one image, whose files and user the Dockerfile has', () => {
  const images = new Set(containers.map(({ image }) => image));
  assert.is(images.size, 1);
  for (const text of [dockerfile, page]) assert.match(text, `--tag ${[...images][0]}`);
  assert.match(dockerfile, /^USER node$/m); // 1000 in Node's images
  assert.match(dockerfile, `CMD ${JSON.stringify(bot.command)?.replaceAll(',', ', ')}`);
});

test('each secret that is used is one that the page creates, with its keys', () => {
  const given = containers.flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []));
  const used = new Set(given.map(({ name, key }) => `${name} ${key}`));
  const rows = [...page.matchAll(/^\| `([\w-]+)` \| `([\w-]+)=.*?(?:`([\w-]+)=.*?)?\|/gm)];
  const created = rows.flatMap(([, name, ...keys]) => keys.flatMap((key) => (key ? [`${name} ${key}`] : [])));
  assert.equal([...used].sort(), created.sort());
  for (const [, name] of rows) assert.match(page, `kubectl -n chat create secret generic ${name} --from-env-file=`);
});

test('the init container and the Job load the library, again without harm, and fail without a server', async () => {
  const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { bin: Record<string, string> };
  for (const { command = [], env = [] } of [loader, loadOnce]) {
    const [program = '', ...args] = command;
    assert.ok(basename(program) in bin);
    assert.is(program, `node_modules/.bin/${basename(program)}`);
    const settings = { [env[0]?.name ?? '']: await redis.url() };
    for (const line of [args, args, ['check']]) assert.is((await cli(line, settings)).code, 0);
    const impatient = args.map((arg) => (arg === '60' ? '0' : arg));
    assert.is((await cli(impatient, { REDIS_URL: 'redis://127.0.0.1:1' })).code, 1);
  }
});

/** Variables that have a default which suits the cluster, or that only a test of the bot sets. */
const NOT_GIVEN = /^(HOST|SLACK_API_URL|\w+_MS)$/;

/** The source of the program that a container starts, with the files of the example that it imports. */
function programOf({ command = [] }: Container): string {
  assert.equal([command[0], command.length], ['node', 2]);
  return sourceOf(command[1] ?? '');
}

function sourceOf(file: string): string {
  const text = readFileSync(join(BOT_FOLDER, file), 'utf8');
  return text + [...text.matchAll(/from '\.\/([\w.-]+)'/g)].map(([, imported = '']) => sourceOf(imported)).join('');
}

/** The names of the environment variables that a source reads, in each way that the example reads them. */
function variablesOf(source: string): Set<string> {
  const reads = source.matchAll(/process\.env\['\w+'\]|milliseconds\('\w+'|\{[^{}]*\} = process\.env/g);
  return new Set([...reads].flatMap(([read]) => read.match(/\b[A-Z][A-Z_]+\b/g) ?? []));
}

for (const container of [bot, worker]) {
  test(`${container.name} reads each variable that it is given, and is given each that it needs`, () => {
    const given = container.env?.map(({ name }) => name) ?? [];
    const read = [...variablesOf(programOf(container))].filter((name) => given.includes(name) || !NOT_GIVEN.test(name));
    assert.equal(read.sort(), given.sort());
  });
}

test('the bot answers both probes', () => {
  const source = programOf(bot);
  for (const probe of [bot.livenessProbe, bot.readinessProbe]) assert.match(source, `path: '${probe?.httpGet?.path}'`);
});

test('the bot makes a Job of job.yaml, which leaves no placeholder', () => {
  const { metadata, spec } = made;
  assert.is(metadata?.name, JOB.jobId);
  for (const labels of [metadata?.labels, spec?.template.metadata?.labels]) {
    assert.is(labels?.['conversation-state/job'], JOB.jobId);
  }
  const env = spec?.template.spec?.containers[0]?.env?.map(({ name, value }) => [name, value]);
  const given = { JOB_ID: JOB.jobId, CHANNEL_ID: JOB.channelId, TEXT: JOB.text, LAST_SEEN: '' };
  assert.equal(Object.fromEntries(env ?? []), { REDIS_URL: undefined, ...given });
  assert.not.match(JSON.stringify(made), /\$[A-Z]/);
});

test('the user that the pages make may give each command on streams that the programs give', async () => {
  const server = await redis.connect();
  const lines = ['docs/security.md', 'docs/kubernetes.md'].map((path) =>
    /^redis-cli (ACL SETUSER app .*)$/m.exec(pageOf(path).text),
  );
  for (const line of lines) await server.call(...(words(`redis-cli ${line?.[1]}`) as [string, ...string[]]));
  try {
    const rights = JSON.stringify(await server.call('ACL', 'GETUSER', 'app'));
    const calls = `${programOf(bot)}${programOf(worker)}`.matchAll(/\.(x[a-z]+|multi|exec)\(/g);
    const used = new Set([...calls].map(([, command]) => command));
    for (const command of used) assert.match(rights, new RegExp(`\\+${command}[ |"]`));
    assert.match(rights, /~job-events/);
    assert.ok(used.size >= 5);
  } finally {
    await server.call('ACL', 'DELUSER', 'app');
  }
});

test.run();
