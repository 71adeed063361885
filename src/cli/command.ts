/** Every option there is. A command names those that it takes. */
export const OPTIONS = {
  url: { type: 'string', value: 'redis://…', summary: 'the server, or any node of a cluster; REDIS_URL if absent' },
  sentinel: { type: 'string', value: 'HOST:PORT,…', summary: 'Sentinels that know the server, instead of --url' },
  name: { type: 'string', value: 'NAME', summary: 'the name by which the Sentinels know it' },
  'tls-ca': { type: 'string', value: 'FILE', summary: 'certificate authority of the server (PEM)' },
  'tls-cert': { type: 'string', value: 'FILE', summary: 'certificate to show to the server (PEM)' },
  'tls-key': { type: 'string', value: 'FILE', summary: 'private key of that certificate (PEM)' },
  prefix: { type: 'string', value: 'TEXT', summary: "the store's prefix; empty if absent" },
  sharded: { type: 'boolean', summary: 'the store has `sharded: true`' },
  platform: { type: 'string', value: 'NAME', summary: 'slack, teams, …' },
  channel: { type: 'string', value: 'ID', summary: 'the channel on its platform' },
  job: { type: 'string', value: 'ID', summary: 'the job' },
  silent: { type: 'boolean', summary: 'only those whose job is silent' },
  waiting: { type: 'boolean', summary: 'only those with a pending question' },
  sort: {
    type: 'string',
    value: 'COLUMN',
    summary: 'order by platform, channel, job, started, unread, silent or left',
  },
  reason: {
    type: 'string',
    value: 'TEXT',
    summary: 'why: stored in the state until it is removed, and with --stream told to the job',
  },
  by: { type: 'string', value: 'NAME', summary: 'who; the name of the system user if absent' },
  user: { type: 'string', value: 'NAME', summary: 'whose rights are checked; the user of this connection if absent' },
  stream: { type: 'string', value: 'KEY', summary: 'a stream that the job reads, under the prefix: job:ID:in' },
  yes: { type: 'boolean', summary: 'do not ask' },
  json: { type: 'boolean', summary: 'print JSON, one object a line' },
  force: { type: 'boolean', summary: "replace a newer version or another program's library of this name, too" },
  exact: { type: 'boolean', summary: 'check for exactly this version, not for one that serves it' },
  help: { type: 'boolean', short: 'h', summary: 'show this' },
  version: { type: 'boolean', short: 'v', summary: 'show the version' },
} as const satisfies Record<string, Option>;

interface Option {
  type: 'string' | 'boolean';
  short?: string;
  /** What stands for its value in the help. */
  value?: string;
  summary: string;
}

export type OptionName = keyof typeof OPTIONS;

/** What the command line gave. */
export type Values = {
  [Name in OptionName]?: (typeof OPTIONS)[Name]['type'] extends 'string' ? string : boolean;
};

/** Where a server is and how it is reached. */
export const SERVER = ['url', 'sentinel', 'name', 'tls-ca', 'tls-cert', 'tls-key'] as const;
/** Where the store's keys are on it. */
export const STORE = [...SERVER, 'prefix', 'sharded'] as const;

/** One word of the command line. */
export interface Command {
  summary: string;
  options: readonly OptionName[];
  /** Command lines to copy, without the program's name. */
  examples: readonly string[];
  /** What its own help says besides: whole sentences, which are broken into lines where the terminal ends. */
  notes?: readonly string[];
  /** Prints its results to stdout. @throws Failure what is wrong and what to do */
  run(values: Values): Promise<void>;
}
