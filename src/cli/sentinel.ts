import { Failure, USAGE_ERROR } from './failure.ts';

/** Sentinels, and the server that they know. */
export interface Sentinels {
  hosts: { host: string; port: number }[];
  /** By which they know the server. */
  group: string;
}

const DEFAULT_PORT = 26_379;

/** The Sentinels of the command line; undefined where none are named. @throws Failure */
export function readSentinels(sentinel: string | undefined, name: string | undefined): Sentinels | undefined {
  if (sentinel === undefined && name === undefined) return undefined;
  if (!sentinel || !name) {
    throw new Failure(
      '--sentinel host:port,… and --name NAME, of the server that they know, go together.',
      USAGE_ERROR,
    );
  }
  const hosts = sentinel.split(',').map((place) => {
    const url = `redis://${place.trim()}`;
    const { hostname = '', port = '', href = '' } = URL.canParse(url) ? new URL(url) : {};
    if (hostname === '' || href !== `redis://${hostname}${port && `:${port}`}`) {
      throw new Failure('--sentinel must be host:port, with commas between several: a:26379,b:26379', USAGE_ERROR);
    }
    return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || DEFAULT_PORT) };
  });
  return { hosts, group: name };
}
