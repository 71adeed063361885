/** Every option there is. A command names those that it takes. */
export const OPTIONS = {
  url: { type: 'string', value: 'redis://…', summary: 'the server; REDIS_URL is taken where this is absent' },
  force: { type: 'boolean', summary: 'load over a newer version or a library that is another one, too' },
  exact: { type: 'boolean', summary: 'check for this very version, not for one that serves it' },
  platform: { type: 'string', value: 'NAME', summary: 'slack, teams, …' },
  channel: { type: 'string', value: 'ID', summary: 'the channel on its platform' },
  job: { type: 'string', value: 'ID', summary: 'the job' },
  prefix: { type: 'string', value: 'TEXT', summary: "the store's prefix; empty where this is absent" },
  sharded: { type: 'boolean', summary: 'the store spreads its conversations: sharded: true' },
  help: { type: 'boolean', summary: 'show this' },
  version: { type: 'boolean', summary: 'show the version' },
} as const satisfies Record<string, Option>;

interface Option {
  type: 'string' | 'boolean';
  /** What stands for its value in the help. */
  value?: string;
  summary: string;
}

export type OptionName = keyof typeof OPTIONS;

/** What the command line gave. */
export type Values = {
  [Name in OptionName]?: (typeof OPTIONS)[Name]['type'] extends 'string' ? string : boolean;
};

/** One word of the command line. */
export interface Command {
  summary: string;
  options: readonly OptionName[];
  /** Prints its results to stdout. @throws Failure what is wrong and what to do */
  run(values: Values): Promise<void>;
}
