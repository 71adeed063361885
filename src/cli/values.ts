type Text =
  | ('url' | 'sentinel' | 'name' | 'tlsCa' | 'tlsCert' | 'tlsKey' | 'prefix' | 'platform' | 'channel' | 'job')
  | ('sort' | 'reason' | 'by' | 'stream' | 'user' | 'wait');
type Switch = 'sharded' | 'silent' | 'waiting' | 'wide' | 'yes' | 'discardInbox' | 'json' | 'force' | 'exact';

/** What the options of a command gave, by the names that commander gives them. */
export type Values = { [Name in Text]?: string } & { [Name in Switch]?: boolean };
