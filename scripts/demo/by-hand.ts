import type { StoredConversationState } from '../../src/index.ts';
import { conversationKey, jobIndexKey } from '../../src/keys/conversation-keys.ts';

/** A line for a shell, and what it shows. */
export interface CommandLine {
  shows: string;
  line: string;
}

/** The lines that show a conversation as it is stored on the server of a URL, whose password they don't hold. */
export function commandLines(url: string, prefix: string, state: StoredConversationState): CommandLine[] {
  const redisCli = connection(new URL(url));
  const conversation = conversationKey(prefix, state.platform, state.channelId);
  const job = jobIndexKey(prefix, state.jobId);
  const stream = `${prefix}job:${state.jobId}:in`;
  const command = (shows: string, ...words: string[]) => ({
    shows,
    line: ['redis-cli', ...redisCli, ...words].map(quoted).join(' '),
  });
  const lines = [
    ...(new URL(url).password === '' ? [] : [LOGIN]),
    { shows: 'every conversation, as whoever is on call sees it', line: commandLine(url, prefix, 'list') },
    { shows: 'this one', line: commandLine(url, prefix, 'show', '--job', state.jobId) },
    command('its state, asked for by its job as a program would', 'FCALL_RO', 'conv_get', '1', job),
    command('the milliseconds it has still to live', 'PTTL', conversation),
  ];
  const { pendingQuestionId, lastAnswer } = state;
  if (lastAnswer) lines.push(command('what its job was told', 'XRANGE', stream, '-', '+'));
  if (pendingQuestionId) {
    const answer = ['type', 'Answer', 'jobId', state.jobId, 'questionId', pendingQuestionId, 'content', 'yes'];
    lines.push(
      command(
        'its question, answered: try it twice, and then with another name than me',
        ...['FCALL', 'conv_answer', '3', conversation, job, stream, pendingQuestionId, 'me', '', ...answer],
      ),
    );
  }
  return lines;
}

// redis-cli -u would do, but before version 7.2 it fails where a URL holds a password and no user.
const LOGIN: CommandLine = {
  shows: 'the password of REDIS_URL, for the lines below',
  line: "export REDISCLI_AUTH=$(node -p 'decodeURIComponent(new URL(process.env.REDIS_URL).password)')",
};

/** A line for the command line of the project, which takes a password from REDIS_URL. */
function commandLine(url: string, prefix: string, ...words: string[]): string {
  const { password } = new URL(url);
  const where = [...(password === '' ? ['--url', url] : []), ...(prefix === '' ? [] : ['--prefix', prefix])];
  return ['npm', 'run', 'cli', '--', ...words, ...where].map(quoted).join(' ');
}

function connection({ protocol, hostname, port, username, pathname }: URL): string[] {
  const host = hostname.replace(/^\[|\]$/g, '');
  return [
    ...(host === '127.0.0.1' ? [] : ['-h', host]),
    ...['-p', port || '6379'],
    ...(username === '' ? [] : ['--user', decodeURIComponent(username)]),
    ...(protocol === 'rediss:' ? ['--tls'] : []),
    ...(pathname.length > 1 ? ['-n', pathname.slice(1)] : []),
  ];
}

/** A word as it stands in a shell, where `#`, `;`, `*` and spaces mean something. */
function quoted(word: string): string {
  return /^[\w:./@+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
