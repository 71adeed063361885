import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIBRARY_VERSION } from '../../src/index.ts';
import { type CliRun, cli, failed, succeeded } from './cli.ts';

const test = suite('how the command line is called');

test('help and version answer on stdout, in every spelling', async () => {
  const help = await cli(['--help']);
  assert.match(
    help.stdout,
    /^usage: conversation-state COMMAND [\s\S]*\n {2}list [\s\S]*\n {2}load [\s\S]*\n {2}keys /,
  );
  assert.is(help.code, 0);
  for (const word of ['-h', 'help']) assert.is((await cli([word])).stdout, help.stdout);
  for (const word of ['--version', '-v']) succeeded(await cli([word]), LIBRARY_VERSION);
  const bare = await cli([]);
  assert.is(bare.stderr, help.stdout, 'without a word it shows the same');
  assert.is(bare.code, 2);
});

test('every command has a help of its own, with its options and an example', async () => {
  const { stdout } = await cli(['help']);
  const names = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
  assert.ok(names.length > 7);
  await Promise.all(
    names.map(async (name) => {
      const help = await cli(['help', name]);
      assert.is(help.code, 0);
      assert.match(
        help.stdout,
        new RegExp(
          `^usage: conversation-state ${name} [^]*\\n {2}-h, --help [^]*\\nExamples?:\\n {2}npx conversation-state ${name} `,
        ),
      );
      assert.is((await cli([name, '--help'])).stdout, help.stdout);
      for (const line of help.stdout.split('\n')) assert.ok(line.length <= 120, line);
    }),
  );
});

test('options without a command, and an empty one, are mistakes', async () => {
  failed(await cli(['--json']), /^Unknown option here: --json\./, { exit: 2 });
  failed(await cli(['']), /^No command is given\. The commands are /, { exit: 2 });
});

test('keys prints the bare key where one is asked for', async () => {
  succeeded(await cli(['keys', '--job', 'j1', '--prefix', 't:']), 't:job-index:j1');
  succeeded(await cli(['keys', '--platform', 'Slack', '--channel', 'C1']), 'conversation:slack:C1');
  const both = await cli(['keys', '--platform', 'slack', '--channel', 'C1', '--job', 'j1']);
  succeeded(both, 'conversation  conversation:slack:C1\njob index     job-index:j1');
});

const WANTED = 'The commands are list, show, watch, release, due, doctor, load, check, and keys.';

test('a command line that is wrong is explained without repeating what may be a password', async () => {
  const cases: [args: string[], said: string][] = [
    [['deploy'], `Unknown command. ${WANTED}`],
    [['redis://:Wr0ng@host'], `Unknown command. ${WANTED}`],
    [['shwo'], 'Unknown command. Did you mean show?'],
    [['help', 'chekc'], 'Unknown command. Did you mean check?'],
    [['help', 'load', 'check'], 'There is an argument too many. help takes the name of one command.'],
    [['list', '--slient'], 'Unknown option here: --slient. Did you mean --silent?'],
    [['check', '--exact', '--exact'], '--exact is given twice.'],
    [['load', '--url', 'redis://:Wr0ng@a', '--url', 'redis://:Wr0ng@b'], '--url is given twice.'],
    [['--force'], 'Unknown option here: --force.'],
    [['check', '--force'], 'Unknown option here: --force.'],
    [['load', '--ur=redis://:Wr0ng@host'], 'Unknown option here: --ur. Did you mean --url?'],
    [['load', '-u', 'redis://:Wr0ng@host'], 'Unknown option here: -u.'],
    [['load', '-Wr0ng'], 'Unknown option.'],
    [['load', 'redis://:Wr0ng@host'], 'There is an argument too many. An address goes after --url.'],
    [['load', '--url'], '--url needs a value after it.'],
    [['load', '--url', '--force'], '--url needs a value after it.'],
    [['load', '--force=Wr0ng'], '--force takes no value.'],
  ];
  const runs = await Promise.all(cases.map(([args]) => cli(args)));
  for (const [at, [, said]] of cases.entries()) {
    failed(runs[at] as CliRun, `${said}\nconversation-state --help lists the commands.`, { exit: 2 });
  }
  const options: [args: string[], said: string | RegExp][] = [
    [['list', '--sort', 'age'], '--sort must be one of platform, channel, job, started, unread, silent, left.'],
    [
      ['list', '--sentinel', 'a:1'],
      '--sentinel host:port,… and --name NAME, of the server that they know, go together.',
    ],
    [
      ['list', '--sentinel', 'u:Wr0ng@a:1', '--name', 'm'],
      '--sentinel must be host:port, with commas between several: a:26379,b:26379',
    ],
    [
      ['list', '--sentinel', 'a:1', '--name', 'm', '--url', 'redis://h'],
      '--url and --sentinel name two servers: give one.',
    ],
    [['list', '--url', 'redis://h', '--tls-ca', 'x.pem'], 'The file of --tls-ca cannot be read: ENOENT.'],
    [['list', '--url', 'rediss://h', '--tls-cert', 'x.pem'], '--tls-cert and --tls-key go together.'],
    [['list', '--url', 'redis://h', '--tls-ca', 'package.json'], 'TLS needs an address that begins with rediss://'],
    [['show', '--url', 'redis://h'], /^Name the channel with --platform and --channel, or the job/],
    [['show', '--platform', 'slack', '--url', 'redis://h'], /^Name the channel with --platform and --channel/],
  ];
  const ends = await Promise.all(options.map(([args]) => cli(args)));
  for (const [at, [, said]] of options.entries()) failed(ends[at] as CliRun, said, { exit: 2 });
  failed(await cli(['load']), 'No server is named. Give --url redis://host:port, or set REDIS_URL.', { exit: 2 });
});

test.run();
