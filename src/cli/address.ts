import { Failure, USAGE_ERROR } from './failure.ts';

/** Where a server is and who asks. Only `name` is fit to be shown. */
export interface Address {
  /** `host:port` */
  name: string;
  host: string;
  port: number;
  tls: boolean;
  username: string | undefined;
  password: string | undefined;
}

const FORM =
  'Write redis://host:port or rediss://user:password@host:port; special characters of a password are written as ' +
  '%XX (/ is %2F, # is %23, % is %25).';

/**
 * The address in `--url`, or in REDIS_URL where there is none. A database number is allowed and left alone: a library
 * belongs to the whole server, and SELECT would be one more right to have.
 * @throws Failure that never shows what was given, because a password may be anywhere in it
 */
export function readAddress(url: string | undefined, { REDIS_URL }: NodeJS.ProcessEnv = process.env): Address {
  const [name, text] = url === undefined ? ['REDIS_URL', REDIS_URL] : ['--url', url];
  if (!text) throw new Failure('No server is named. Give --url redis://host:port, or set REDIS_URL.', USAGE_ERROR);
  const unusable = new Failure(`${name} is not the address of a Redis server. ${FORM}`, USAGE_ERROR);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (!parsed?.hostname || !/^rediss?:$/.test(parsed.protocol)) throw unusable;
  // A bare / ? or # in a password ends the host early, and the rest of the password follows.
  if (!/^\/?\d*$/.test(parsed.pathname) || parsed.search || parsed.hash || parsed.port === '0') throw unusable;
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(parsed.port || 6379);
  const named = parsed.username !== '' || parsed.password !== '';
  try {
    return {
      name: `${parsed.hostname}:${port}`,
      host,
      port,
      tls: parsed.protocol === 'rediss:',
      username: decodeURIComponent(parsed.username) || undefined,
      // A user without a password still has to be named to the server.
      password: named ? decodeURIComponent(parsed.password) : undefined,
    };
  } catch {
    throw unusable;
  }
}
