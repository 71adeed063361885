import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIBRARY_VERSION } from '../../src/index.ts';
import { cli, failed, startCli, succeeded } from './cli.ts';

const test = suite('how the command line is called');
const NPX = 'npx --no conversation-state';
const COMMANDS = ['list', 'show', 'watch', 'release', 'due', 'doctor', 'load', 'check', 'keys'];

test('help and version answer on stdout, and without a command the same help is on stderr', async () => {
  const help = await cli(['--help']);
  const listed = [...help.stdout.matchAll(/^ {2}([a-z]+) \[/gm)].map(([, name]) => name);
  assert.equal([listed, help.stderr, help.code], [[...COMMANDS, 'help'], '', 0]);
  for (const word of ['-h', 'help']) assert.is((await cli([word])).stdout, help.stdout);
  for (const word of ['--version', '-v']) succeeded(await cli([word]), LIBRARY_VERSION);
  const bare = await cli([]);
  assert.equal([bare.stdout, bare.stderr, bare.code], ['', help.stdout, 2]);
});

test('every command has a help of its own, with its options and an example', async () => {
  for (const name of COMMANDS) {
    const { stdout, code } = await cli(['help', name]);
    assert.match(stdout, new RegExp(`^Usage: conversation-state ${name} .*-h, --help .*\\n {2}${NPX} ${name} `, 's'));
    assert.is(code, 0);
  }
});

test('options stand before or after the command', async () => {
  for (const args of [
    ['keys', '--platform', 'keys', '--channel', 'C1'],
    ['--platform', 'keys', 'keys', '--channel', 'C1'],
    ['--platform=keys', '--channel', 'C1', 'keys'],
  ]) {
    succeeded(await cli(args), 'conversation:keys:C1');
  }
});

test('a wrong command line is explained without what may be a password, and leads to the help of its command', async () => {
  const cases: [args: string[], said: string, command?: string][] = [
    [['deploy'], 'Unknown command "deploy".'],
    [['redis://:Wr0ng@host'], 'Unknown command.'],
    [['shwo'], 'Unknown command "shwo". Did you mean show?'],
    [[''], 'Unknown command "".'],
    [['--force'], 'Unknown option "--force".'],
    [['list', '--slient'], 'Unknown option "--slient". Did you mean --silent?', 'list'],
    [['check', '--force'], 'Unknown option "--force".', 'check'],
    [['load', '--ur=redis://:Wr0ng@host'], 'Unknown option "--ur".', 'load'],
    [['load', '-u', 'redis://:Wr0ng@host'], 'Unknown option "-u".', 'load'],
    [['load', '-Wr0ng'], 'Unknown option.', 'load'],
    [['list', 'extra'], 'Unexpected argument "extra".', 'list'],
    [['load', 'redis://:Wr0ng@host'], 'Unexpected argument. An address goes after --url.', 'load'],
    [['load', '--url'], '--url needs a value.', 'load'],
    [['load', '--url', 'redis://h', '--url=redis://:Wr0ng@h'], '--url is given twice.', 'load'],
    [['--yes', 'release', '--yes'], '--yes is given twice.', 'release'],
    [['load', '--force=Wr0ng'], '--force takes no value.', 'load'],
  ];
  for (const [args, said, command] of cases) {
    const help = command ? `${NPX} ${command} --help shows its options.` : `${NPX} --help lists the commands.`;
    failed(await cli(args), `${said}\n${help}`, { exit: 2 });
  }
});

test('as a program it prints and exits as in these tests, which run it in their own process', async () => {
  for (const [args, code] of [
    [['--version'], 0],
    [['check', '--url', 'redis://127.0.0.1:1'], 1],
    [['shwo'], 2],
  ] as const) {
    const run = await startCli(args).ended;
    assert.equal(run, await cli(args));
    assert.is(run.code, code);
  }
});

test('a value that cannot be used is explained before a server is asked', async () => {
  const here = ['--url', 'redis://h'];
  const asks = 'release asks before it changes anything, and here is no terminal to ask on: give --yes.';
  const reference = 'Name the channel with --platform and --channel, or the job with --job, or all three.';
  const together = '--sentinel host:port,… and --name NAME, of the server that they know, go together.';
  const cases: [args: string[], said: string][] = [
    [['load', '--wait', 'soon', ...here], '--wait must be a whole number of seconds.'],
    [['list', '--sort', 'age', ...here], '--sort must be one of platform, channel, job, started, unread, due, left.'],
    [['list', '--sentinel', 'a:1'], together],
    [['list', '--sentinel', 'a:1', '--name', 'm', ...here], '--url and --sentinel name two servers: give one.'],
    [['list', ...here, '--tls-ca', 'x.pem'], 'The file of --tls-ca cannot be read: ENOENT.'],
    [['list', '--url', 'rediss://h', '--tls-cert', 'x.pem'], '--tls-cert and --tls-key go together.'],
    [['list', ...here, '--tls-ca', 'package.json'], 'TLS needs an address that begins with rediss://'],
    [['show', ...here], reference],
    [['release', '--reason', 'x', '--yes', ...here], 'release needs --job ID: the job to take the channel from.'],
    [['release', '--job', 'j', '--reason', ' '], 'release needs --reason TEXT: why, for whoever asks later.'],
    [['release', '--job', 'j', '--reason', 'x'], asks],
    [['load'], 'No server is named. Give --url redis://host:port, or set REDIS_URL.'],
  ];
  for (const [args, said] of cases) failed(await cli(args), said, { exit: 2 });
});

test.run();
