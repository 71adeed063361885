import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIBRARY_SOURCE } from '../../src/index.ts';
import { partitionOf } from '../../src/keys.ts';
import { cli } from '../cli/cli.ts';
import { withRedis } from '../support/redis.ts';
import { linesOf, pageOf, words } from './pages.ts';

const test = suite('the lines for a shell');
const redis = withRedis(test);
const page = pageOf('docs/redis-cli.md');

/** A line without its comment, and the words of the comment: what the page says that comes of the line. */
function promise(line: string): [command: string, promised: string[]] {
  const [command = '', comment = ''] = line.split(/ +# /);
  return [command, comment.split(' ')];
}

/** The arguments of a line that calls the command line. */
const cliArguments = (line: string) => words(line).slice(words(line).indexOf('conversation-state') + 1);

test('the redis-cli lines reply what their comments say, and call every function', async () => {
  const client = await redis.connect();
  await client.flushall();
  await client.function('LOAD', 'REPLACE', LIBRARY_SOURCE);
  const lines = linesOf(page, 'sh').filter((line) => /^redis-cli (FCALL|XRANGE)/.test(line));
  for (const line of lines) {
    const [call, promised] = promise(line);
    const [command = '', ...args] = words(call);
    const reply = JSON.stringify(await client.call(command, ...args));
    for (const word of promised) assert.ok(word !== '' && reply.includes(word), `${line}\n${reply}`);
  }
  const registered = LIBRARY_SOURCE.match(/'conv_\w+'/g)?.map((name) => name.slice(1, -1)) ?? [];
  assert.ok(registered.length > 10);
  for (const name of registered) {
    assert.ok(page.text.includes(`| \`${name}\` |`), `a row of the table for ${name}`);
    // What is set whatever stands there needs no example beside conv_claim.
    assert.ok(name === 'conv_set' || lines.join().includes(` ${name} `), `a line for ${name}`);
  }
});

test('the command lines of the command line do what the page says', async () => {
  const client = await redis.connect();
  await client.flushall();
  const lines = linesOf(pageOf('docs/command-line.md'), 'sh').filter((line) => line.startsWith('npx '));
  assert.ok(lines.length >= 7);
  for (const line of lines) {
    const { stderr, code } = await cli(cliArguments(line), { REDIS_URL: await redis.url() });
    assert.is(code, 0, `${line}: ${stderr}`);
  }
});

test('a shell finds the partition of a channel as the page says', async () => {
  const [shell = '', ...lines] = linesOf(pageOf('docs/cluster.md'), 'sh').map(promise);
  const [command = '', [computed]] = shell as [string, string[]];
  assert.is(computed, partitionOf('slack', 'C1'));
  assert.is((await promisify(execFile)('bash', ['-c', command])).stdout.trim(), computed);
  assert.is(lines.length, 2);
  for (const [line, promised] of lines) assert.is((await cli(cliArguments(line))).stdout.trim(), promised.join(' '));
});

test.run();
