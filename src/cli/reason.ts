import { fromClient, isConversationError } from '../errors.ts';
import { LIMIT_MS } from './address.ts';
import { NPX } from './print.ts';

const REDIS_FUNCTIONS = 'it has no Redis Functions, or does not allow them. Use Redis 7.0 or later, or Valkey.';
const NO_TLS = 'Without TLS the address begins with redis://';
const SENTINEL_USER = 'SENTINEL_USERNAME and SENTINEL_PASSWORD';

// By the code of a failed connection, or by the first words of a server's reply.
const REASONS: [RegExp, string][] = [
  [/^ECONNREFUSED/, 'the connection was refused; no server listens there.'],
  [/^(ENOTFOUND|EAI_AGAIN)/, 'the host was not found.'],
  [/^E(HOST|NET)UNREACH/, 'there is no way to that host from here.'],
  [/^(WRONGPASS|ERR invalid password)/, 'the user name or the password is wrong.'],
  [/^NOAUTH/, 'it requires a password: redis://user:password@host:port'],
  [/^READONLY/, 'it is a read-only replica. Name its master.'],
  [/^OOM/, 'it is out of memory and takes no library. Free some, or raise its maxmemory.'],
  [/^DENIED/, 'it is in protected mode and takes connections from its own machine only.'],
  [/No such master/, 'the Sentinels do not know a server of that name. SENTINEL MASTERS tells which they know.'],
  [
    /^All s.*(WRONGPASS|NOAUTH|invalid pass)/,
    `the Sentinels refuse the user name or the password of ${SENTINEL_USER}.`,
  ],
  [/^All s.* unknown /, 'what answers there is not a Sentinel, which listens on port 26379 as a rule.'],
  [/^All sentinels are unreachable/, 'none of the Sentinels could be reached.'],
  // The server's own sentence would repeat the arguments.
  [/^ERR unknown (sub)?command/i, REDIS_FUNCTIONS],
  [/^(Protocol error|Unknown RESP type)/i, 'what answers there is not a Redis server.'],
  [
    /^Too many Cluster redirections/,
    'the slot of the conversation is half moved, or no node serves it. Try again in a moment. ' +
      `${NPX} doctor tells which slot or which master it is.`,
  ],
  [/^ERR_TLS_CERT_ALTNAME_INVALID/, 'TLS failed: the certificate is for another host name.'],
  [/wrong version number|packet length too long/, `TLS failed: the server does not use it there. ${NO_TLS}`],
];

const OWN_CERTIFICATE = 'if it wants a certificate of the client, name it with --tls-cert FILE --tls-key FILE.';

/** What ioredis says of a command whose connection ended, whatever the reason was. */
export const CLOSED = 'Connection is closed.';

/** What the client said of a call that the server could not take. A name with several addresses fails with an error for each. */
export function causeOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return causeOf(error.errors[0]);
  return isConversationError(error, 'UNAVAILABLE') ? (error.cause ?? error) : error;
}

/** Whether it may be another in a moment: a server that starts, or one that a load balancer does not have yet. */
export function mayPass(error: unknown): boolean {
  const cause = causeOf(error);
  return isConversationError(fromClient(cause), 'UNAVAILABLE') && !/WRONGPASS|NOAUTH/.test((cause as Error).message);
}

/** Why a server could not be used, in words for a person: one line, without user name and password. */
export function reasonOf(failure: unknown, tls: boolean): string {
  const error = causeOf(failure);
  if (isConversationError(error)) return sentence(error.message);
  const { code = '', message }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error));
  const known = REASONS.find(([pattern]) => pattern.test(code) || pattern.test(message))?.[1];
  if (known !== undefined) return known;
  if (code === 'ETIMEDOUT' || message === 'Command timed out') {
    // A server that does not speak TLS waits for the rest of what it takes for a command.
    return `no answer within ${LIMIT_MS / 1000} s.${tls ? ` ${NO_TLS}` : ''}`;
  }
  if (message.startsWith('NOPERM')) {
    const command = /'([\w|]+)' (?:sub)?command/.exec(message)?.[1];
    const what = /\bkeys?\b/.test(message) ? 'may not use the keys of this store' : 'lacks a right';
    if (command === undefined) return `this user ${what}.`;
    return `this user may not run ${command.replace('|', ' ').toUpperCase()}. It needs the right +${command}.`;
  }
  if (code === 'ECONNRESET' || code === 'EPIPE' || /clos(ed|ing)|disconnected/i.test(message)) {
    const hint = tls ? OWN_CERTIFICATE : 'if it requires TLS, the address begins with rediss://';
    return `the connection was closed before an answer came. Look whether the server still runs; ${hint}`;
  }
  return /SSL|TLS|EPROTO|CERT|SIGNATURE/.test(code) ? `TLS failed: ${tlsReason(code, message)}` : sentence(message);
}

function tlsReason(code: string, message: string): string {
  // What OpenSSL says has the place of its own source around it.
  const said = message.replace(/^[0-9A-F]+:error:[0-9A-F]+:|:[^:]*\.c:\d+:.*$/gs, '').split(/[\n;]/)[0] ?? '';
  if (/alert|handshake/i.test(message)) return `${said}. The server refused it; ${OWN_CERTIFICATE}`;
  if (/CERT|SIGNATURE/.test(code)) return `${said}. Name the server's certificate authority with --tls-ca FILE.`;
  return sentence(said);
}

function sentence(text: string): string {
  const line = (text.split('\n')[0] ?? '').slice(0, 300);
  return /[.!?]$/.test(line) ? line : `${line}.`;
}
