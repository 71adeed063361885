import { callsOf, type Design, designOf, OPERATIONS, type Operation, QUESTION, TTL_MS } from './conversations.ts';

/** KEYS: the conversation, but to look up, and the index. ARGV: the state or the question, and the time to live. */
const SET = `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], KEYS[1], 'PX', ARGV[2])
return 1`;
const change = (unfit: string, question: string) => `local text = redis.call('GET', KEYS[1])
local state = text and cjson.decode(text)
if ${unfit} then return 0 end
state.pendingQuestionId = ${question}
redis.call('SET', KEYS[1], cjson.encode(state), 'PX', ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1`;
const SCRIPTS: Record<Operation, string> = {
  claim: `if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end\n${SET}`,
  set: SET,
  lookup: `local key = redis.call('GET', KEYS[1])
if not key then return nil end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', key, ARGV[2])
return redis.call('GET', key)`,
  pending: change('not state', 'ARGV[1]'),
  answer: change('not state or state.pendingQuestionId ~= ARGV[1]', 'cjson.null'),
  remove: `return redis.call('DEL', KEYS[1], KEYS[2]) > 0 and 1 or 0`,
};

export const scriptDesign: Design = designOf(
  'EVAL',
  'a script of at most ten lines for each operation, sent as EVALSHA: atomic, but without a look at which job holds the channel',
  (client) => {
    const commands = client as unknown as Record<Operation, (...args: (string | number)[]) => Promise<unknown>>;
    for (const name of OPERATIONS) client.defineCommand(`bench_${name}`, { lua: SCRIPTS[name] });
    return callsOf(async (operation, { conversation, job, state }) => {
      const keys = operation === 'lookup' ? [job] : [conversation, job];
      const value = operation === 'claim' || operation === 'set' ? JSON.stringify(state) : QUESTION;
      const reply = await commands[`bench_${operation}` as Operation](keys.length, ...keys, value, TTL_MS);
      return typeof reply === 'string' ? JSON.parse(reply).jobId : reply === 1;
    });
  },
);
