// Generated from ../lua/conversation.lua by `npm run generate`. Do not edit: change the Lua and generate again.
// An argument that is left out is sent as the empty string where a later one is given.
export const LIBRARY_NAME = 'conversation';
export const LIBRARY_VERSION = '1.0.0';
/** Of LIBRARY_SOURCE, in hexadecimal. */
export const LIBRARY_SHA256 = '57f0e0d24bc648a035f757063fd80956656098c8fa93576a8b303cd38eda4263';
/** What FUNCTION LIST shows once the library is loaded. */
export const FUNCTIONS = [
    { name: 'conv_claim', flags: [] },
    { name: 'conv_set', flags: [] },
    { name: 'conv_get', flags: ['no-writes'] },
    { name: 'conv_get_by_job', flags: [] },
    { name: 'conv_set_pending', flags: [] },
    { name: 'conv_answer', flags: [] },
    { name: 'conv_remove', flags: ['allow-oom'] },
    { name: 'conv_version', flags: ['no-writes'] },
];
/** The first words of the library's own errors. */
export const ERROR_CODES = ['CONVARG', 'CONVCORRUPT', 'CONVJOB', 'CONVKEY', 'CONVSTATE'];
/**
 * Claims a channel for a job: of any number of simultaneous claims, one is `claimed`. The holder claiming again is
 * `claimed` too; its stored state is kept and its deadlines are renewed.
 *
 * @param keys Both keys of a conversation.
 * @param args.state JSON of one ConversationState, at most 262144 bytes.
 * @param args.ttlMs Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @returns `state`: What is stored now: the given state, or the holder's. JSON of one ConversationState, at most
 *   262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVJOB`, `CONVKEY`, `CONVSTATE` or a
 *   code of Redis; a TypeError where the reply is none that this function gives.
 */
export async function convClaim(client, keys, args) {
    const sent = [keys.conversation, keys.job, args.state];
    if (args.ttlMs !== undefined)
        sent.push(String(args.ttlMs));
    const reply = await client.fcall('conv_claim', 2, ...sent);
    const [outcome, state] = partsOf('conv_claim', reply, 2);
    if (outcome !== 'claimed' && outcome !== 'held')
        throw unexpected('conv_claim', "'claimed' | 'held' as outcome");
    if (typeof state !== 'string')
        throw unexpected('conv_claim', 'string as state');
    return { outcome, state };
}
/**
 * Stores a state whatever stood there: the last write wins, and the index of a displaced job goes.
 *
 * @param keys Both keys of a conversation.
 * @param args.state JSON of one ConversationState, at most 262144 bytes.
 * @param args.ttlMs Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @returns What stood there. JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVJOB`, `CONVKEY`, `CONVSTATE` or a code of Redis; a
 *   TypeError where the reply is none that this function gives.
 */
export async function convSet(client, keys, args) {
    const sent = [keys.conversation, keys.job, args.state];
    if (args.ttlMs !== undefined)
        sent.push(String(args.ttlMs));
    const reply = await client.fcall('conv_set', 2, ...sent);
    if (typeof reply !== 'string' && !isNil(reply))
        throw unexpected('conv_set', 'string | null as its reply');
    return isNil(reply) ? null : reply;
}
/**
 * Reads a conversation and changes nothing.
 *
 * @param keys A conversation key, a job-index key, or both. One that names a job reaches the conversation only while
 *   that job holds it. With both, no other key is touched.
 * @returns JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY` or a code of Redis; a
 *   TypeError where the reply is none that this function gives.
 */
export async function convGet(client, keys) {
    const sent = [];
    if (keys.conversation !== undefined)
        sent.push(keys.conversation);
    if (keys.job !== undefined)
        sent.push(keys.job);
    const reply = await client.fcall_ro('conv_get', sent.length, ...sent);
    if (typeof reply !== 'string' && !isNil(reply))
        throw unexpected('conv_get', 'string | null as its reply');
    return isNil(reply) ? null : reply;
}
/**
 * Reads the conversation a job holds and renews both deadlines: a message from a job is a sign of life.
 *
 * @param keys A job-index key, alone or behind its conversation key.
 * @param args.ttlMs Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @returns JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY` or a code of Redis; a
 *   TypeError where the reply is none that this function gives.
 */
export async function convGetByJob(client, keys, args = {}) {
    const sent = [];
    if (keys.conversation !== undefined)
        sent.push(keys.conversation);
    sent.push(keys.job);
    const numkeys = sent.length;
    if (args.ttlMs !== undefined)
        sent.push(String(args.ttlMs));
    const reply = await client.fcall('conv_get_by_job', numkeys, ...sent);
    if (typeof reply !== 'string' && !isNil(reply))
        throw unexpected('conv_get_by_job', 'string | null as its reply');
    return isNil(reply) ? null : reply;
}
/**
 * Remembers which question waits for an answer.
 *
 * @param keys A conversation key, a job-index key, or both. One that names a job reaches the conversation only while
 *   that job holds it. With both, no other key is touched.
 * @param args.questionId An empty one clears. At most 1024 bytes without control characters.
 * @param args.ttlMs Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
 * @returns The new state. JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY`, `CONVSTATE` or a code of
 *   Redis; a TypeError where the reply is none that this function gives.
 */
export async function convSetPending(client, keys, args) {
    const sent = [];
    if (keys.conversation !== undefined)
        sent.push(keys.conversation);
    if (keys.job !== undefined)
        sent.push(keys.job);
    const numkeys = sent.length;
    sent.push(args.questionId);
    if (args.ttlMs !== undefined)
        sent.push(String(args.ttlMs));
    const reply = await client.fcall('conv_set_pending', numkeys, ...sent);
    if (typeof reply !== 'string' && !isNil(reply))
        throw unexpected('conv_set_pending', 'string | null as its reply');
    return isNil(reply) ? null : reply;
}
/**
 * Answers a question. `accepted`: it was pending; it is cleared, `lastAnswer` is kept and, where a stream is named,
 * the fields are added to it in the same step. `answered`: somebody else's answer was first. `stale`: another
 * question or none is pending. `gone`: there is no conversation. The same answerId again is `accepted` again and not
 * published twice.
 *
 * @param keys A reference and, behind it, the stream that hears the answer.
 * @param args.questionId At most 1024 bytes without control characters.
 * @param args.answerId Names this one answer, so that a resend is recognised; at most 1024 bytes without control
 *   characters. An empty one is nobody's.
 * @param args.ttlMs Of the stream too. Whole milliseconds to live, 1 to 999999999999; empty or left out means
 *   7200000 (2 h).
 * @param args.rest Field and value, in turn, for the stream; at most 1024 of each.
 * @returns `state`: JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY`, `CONVSTATE` or a code of
 *   Redis; a TypeError where the reply is none that this function gives.
 */
export async function convAnswer(client, keys, args) {
    const sent = [];
    if (keys.conversation !== undefined)
        sent.push(keys.conversation);
    if (keys.job !== undefined)
        sent.push(keys.job);
    if (keys.stream !== undefined)
        sent.push(keys.stream);
    const numkeys = sent.length;
    sent.push(args.questionId, args.answerId);
    if (args.ttlMs !== undefined || args.rest?.length)
        sent.push(args.ttlMs === undefined ? '' : String(args.ttlMs));
    if (args.rest !== undefined)
        sent.push(...args.rest);
    const reply = await client.fcall('conv_answer', numkeys, ...sent);
    const [outcome, state] = partsOf('conv_answer', reply, 2);
    if (outcome !== 'accepted' && outcome !== 'answered' && outcome !== 'stale' && outcome !== 'gone') {
        throw unexpected('conv_answer', "'accepted' | 'answered' | 'stale' | 'gone' as outcome");
    }
    if (typeof state !== 'string' && !isNil(state))
        throw unexpected('conv_answer', 'string | null as state');
    return { outcome, state: isNil(state) ? null : state };
}
/**
 * Forgets a conversation. `removed`: it is gone now. `held`: another job took the channel over; only the caller's
 * stale index goes. `gone`: there was none. By conversation key alone, a value that cannot be read is removed too.
 *
 * @param keys A conversation key, a job-index key, or both. One that names a job reaches the conversation only while
 *   that job holds it. With both, no other key is touched.
 * @returns `state`: What was removed, or the holder's. JSON of one ConversationState, at most 262144 bytes.
 * @throws The server's error, whose first word is `CONVARG`, `CONVCORRUPT`, `CONVKEY` or a code of Redis; a
 *   TypeError where the reply is none that this function gives.
 */
export async function convRemove(client, keys) {
    const sent = [];
    if (keys.conversation !== undefined)
        sent.push(keys.conversation);
    if (keys.job !== undefined)
        sent.push(keys.job);
    const reply = await client.fcall('conv_remove', sent.length, ...sent);
    const [outcome, state] = partsOf('conv_remove', reply, 2);
    if (outcome !== 'removed' && outcome !== 'held' && outcome !== 'gone') {
        throw unexpected('conv_remove', "'removed' | 'held' | 'gone' as outcome");
    }
    if (typeof state !== 'string' && !isNil(state))
        throw unexpected('conv_remove', 'string | null as state');
    return { outcome, state: isNil(state) ? null : state };
}
/**
 * The library's version.
 *
 * @throws The server's error, whose first word is `CONVARG`, `CONVKEY` or a code of Redis; a TypeError where the
 *   reply is none that this function gives.
 */
export async function convVersion(client) {
    const reply = await client.fcall_ro('conv_version', 0);
    if (typeof reply !== 'string')
        throw unexpected('conv_version', 'string as its reply');
    return reply;
}
function partsOf(name, reply, length) {
    if (Array.isArray(reply) && reply.length === length)
        return reply;
    throw unexpected(name, `an array of ${length}`);
}
/** Lua's false stands for nil in an array; it may arrive as either. */
function isNil(value) {
    return value === null || value === false;
}
/** Names the function and what was wanted, never the reply: what is stored belongs in no message. */
function unexpected(name, wanted) {
    const library = `${LIBRARY_NAME} ${LIBRARY_VERSION}`;
    return new TypeError(`${name} answered something else than ${wanted}; is ${library} loaded on this server?`);
}
/** The whole library, byte for byte, as FUNCTION LOAD takes it. */
export const LIBRARY_SOURCE = `#!lua name=conversation
--
-- Which job is running for this chat channel, and which channel does this job belong to?
--
-- A conversation is two keys, and every call changes both, with both deadlines, or nothing:
--   {prefix}conversation:{platform, lower case}:{channelId}   JSON of one ConversationState
--   {prefix}job-index:{jobId}                                 the conversation key, whole
--
-- The file reads top to bottom: errors, keys, arguments, the state, what is stored, then one function per
-- command in the order of a conversation's life, and the registrations last. Whatever can fail fails before
-- the first write, because Redis keeps what was written before an error.

local VERSION = '1.0.0'

local DEFAULT_TTL = 7200000
local MAX_TTL_DIGITS = 12
local MAX_ID = 512
local MAX_QUESTION_ID = 1024
local MAX_STATE = 262144
local MAX_FIELDS = 1024
local STREAM_LENGTH = 1000

---@alias State string JSON of one ConversationState, at most 262144 bytes.
---@alias Milliseconds integer Whole milliseconds to live, 1 to 999999999999; empty or left out means 7200000 (2 h).
---@alias QuestionId string At most 1024 bytes without control characters.
---@alias AnswerId string Names this one answer, so that a resend is recognised; at most 1024 bytes without control
--- characters. An empty one is nobody's.

---@class Pair Both keys of a conversation.
---@field conversation string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job string \`{prefix}job-index:{jobId}\`

---@class Reference A conversation key, a job-index key, or both. One that names a job reaches the conversation only
--- while that job holds it. With both, no other key is touched.
---@field conversation? string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job? string \`{prefix}job-index:{jobId}\`

---@class JobReference A job-index key, alone or behind its conversation key.
---@field conversation? string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job string \`{prefix}job-index:{jobId}\`

---@class AnswerReference A reference and, behind it, the stream that hears the answer.
---@field conversation? string \`{prefix}conversation:{platform, lower case}:{channelId}\`
---@field job? string \`{prefix}job-index:{jobId}\`
---@field stream? string A key of the same prefix.

-- A library sees Redis and most of Lua only while one of its functions runs, so the first call fetches what is used in
-- every call. In a local it is also quicker to reach: each global is looked up in two tables.
local call, type, pcall, unpack, parse

local function wake()
  call, type, pcall, unpack = redis.call, _G.type, _G.pcall, _G.unpack
  local json = cjson.new()
  json.decode_invalid_numbers(false)
  parse = json.decode
end

-- Errors ---------------------------------------------------------------------------------------------------------

-- Leaves the command; \`served\` answers with the message. The first word is the code.
local function fail(code, message)
  error(code .. ' ' .. message, 0)
end

-- Keys -----------------------------------------------------------------------------------------------------------

local BAD_ID = 'must be a non-empty string of at most %d bytes without control characters'

-- Printable ASCII, which most texts are, needs no second look at its characters.
local function is_printable(text)
  return text:find('^[ -~]*$') ~= nil
end

-- Control characters are those of ASCII and, written in UTF-8, U+0080 to U+009F.
local function has_control(text)
  return not is_printable(text) and (text:find('%c') or text:find('\\194[\\128-\\159]')) ~= nil
end

local function is_id(value, limit)
  return type(value) == 'string' and value ~= '' and #value <= limit and not has_control(value)
end

-- The prefix and the id of a key; nothing for a key that is none. An id may hold either kind of key, a prefix neither.
-- The id comes as the printable ASCII that it begins with, which most ids are to their end, and the rest.
local function parts(prefix, id, rest)
  if not prefix or rest ~= '' and has_control(rest) then return nil end
  if prefix ~= '' and (prefix:find('conversation:', 1, true) or prefix:find('job-index:', 1, true)) then return nil end
  id = id .. rest
  if id == '' or #id > MAX_ID then return nil end
  return prefix, id
end

local function split_conversation(key)
  return parts(key:match('^(.-)conversation:[a-z0-9][a-z0-9._-]*:([ -~]*)(.*)$'))
end

local function split_job(key)
  return parts(key:match('^(.-)job%-index:([ -~]*)(.*)$'))
end

local CONVERSATION_KEY = '{prefix}conversation:{platform, lower case}:{channelId}'
local JOB_KEY = '{prefix}job-index:{jobId}'

local function no_keys(keys)
  if #keys > 0 then fail('CONVKEY', 'this function takes no keys, ' .. #keys .. ' were given') end
end

local function pair(keys)
  if #keys ~= 2 then
    fail('CONVKEY', 'wanted 2 keys, ' .. CONVERSATION_KEY .. ' and ' .. JOB_KEY .. '; ' .. #keys .. ' were given')
  end
  local prefix = split_conversation(keys[1])
  if not prefix then fail('CONVKEY', 'the first key must be ' .. CONVERSATION_KEY) end
  local job_prefix, job_id = split_job(keys[2])
  if not job_prefix then fail('CONVKEY', 'the second key must be ' .. JOB_KEY) end
  if prefix ~= job_prefix then fail('CONVKEY', 'the two keys have different prefixes') end
  return { prefix = prefix, conversation = keys[1], job = keys[2], job_id = job_id, indexed = false }
end

local function reference(keys)
  if #keys == 2 then return pair(keys) end
  if #keys ~= 1 then
    fail('CONVKEY', 'wanted ' .. CONVERSATION_KEY .. ', or ' .. JOB_KEY .. ', or both in that order; '
      .. #keys .. ' keys were given')
  end
  local prefix = split_conversation(keys[1])
  if prefix then
    return { prefix = prefix, conversation = keys[1], job = nil, job_id = nil, indexed = false }
  end
  local job_prefix, job_id = split_job(keys[1])
  if job_prefix then
    return { prefix = job_prefix, conversation = nil, job = keys[1], job_id = job_id, indexed = false }
  end
  return fail('CONVKEY', 'the key must be ' .. CONVERSATION_KEY .. ' or ' .. JOB_KEY)
end

local function job_reference(keys)
  local ref = reference(keys)
  if not ref.job then fail('CONVKEY', 'a job must be named: ' .. JOB_KEY .. ', alone or as second key') end
  return ref
end

-- A stream is the last key when that is no job-index key, and never the only one.
local function answer_reference(keys)
  local count = #keys
  local stream = count > 1 and count < 4 and not (count == 2 and split_job(keys[2])) and keys[count]
  if not stream then return reference(keys) end
  local ref = reference(count == 2 and { keys[1] } or { keys[1], keys[2] })
  if stream == ref.prefix or stream:find('conversation:', 1, true) or stream:find('job-index:', 1, true) then
    fail('CONVKEY', 'the last key must name a stream, not a conversation or a job')
  end
  if stream:sub(1, #ref.prefix) ~= ref.prefix then
    fail('CONVKEY', 'the stream must have the prefix of the other keys')
  end
  ref.stream = stream
  return ref
end

-- Arguments ------------------------------------------------------------------------------------------------------

local function milliseconds(ttl)
  if ttl == nil or ttl == '' then return DEFAULT_TTL end
  if #ttl > MAX_TTL_DIGITS or not ttl:find('^[1-9]%d*$') then
    fail('CONVARG', 'ttlMs must be whole milliseconds from 1 to 999999999999')
  end
  return tonumber(ttl)
end

-- Well-formed sequences of more than one byte (The Unicode Standard, table 3-7).
local UTF8 = {
  '[\\194-\\223][\\128-\\191]',
  '\\224[\\160-\\191][\\128-\\191]', '[\\225-\\236\\238\\239][\\128-\\191][\\128-\\191]', '\\237[\\128-\\159][\\128-\\191]',
  '\\240[\\144-\\191][\\128-\\191][\\128-\\191]', '[\\241-\\243][\\128-\\191][\\128-\\191][\\128-\\191]',
  '\\244[\\128-\\143][\\128-\\191][\\128-\\191]',
}

local function is_utf8(text)
  -- A blank stands for what was taken out, so that its neighbours do not become a sequence.
  for _, sequence in ipairs(UTF8) do
    if not text:find('[\\128-\\255]') then return true end
    text = text:gsub(sequence, ' ')
  end
  return not text:find('[\\128-\\255]')
end

local function is_question_id(text)
  return is_id(text, MAX_QUESTION_ID) and (is_printable(text) or is_utf8(text))
end

-- The state ------------------------------------------------------------------------------------------------------

local function decode(text)
  return pcall(parse, text)
end

-- cjson reads more than JSON: control characters in strings, bytes that are no UTF-8, numbers such as 1. and -.5,
-- and it stops at a NUL. Texts without anything of the kind, which are most, pass at the first look.
local function is_json(text)
  local doubtful = not is_printable(text)
  local dot = not doubtful and text:find('.', 1, true)
  while dot do
    local before, _, after = text:byte(dot - 1, dot + 1)
    local digit_before, digit_after = before > 47 and before < 58, after > 47 and after < 58
    if before == 45 or digit_before and not digit_after then
      doubtful = true
      break
    end
    dot = text:find('.', dot + 1, true)
  end
  if not doubtful then return true end
  -- What is left without its escapes and strings has no quote unless a string held a control character.
  local bare = text:gsub('\\\\.', ''):gsub('"[^"%z\\1-\\31]*"', '')
  return not (bare:find('["%z]') or bare:find('%d%.%D') or bare:find('-.', 1, true)) and is_utf8(text)
end

-- ISO 8601, date and time: seconds, their fraction and the offset may be left out.
local function is_date_time(value)
  if type(value) ~= 'string' then return false end
  local month, day, hour, rest = value:match('^%d%d%d%d%-([01]%d)%-([0-3]%d)T([0-2]%d):[0-5]%d(.*)$')
  if not month or month == '00' or month > '12' or day == '00' or day > '31' then return false end
  if hour > '23' and not value:find('^T24:00', 11) then return false end
  local offset = rest:match('^:[0-5]%d%.%d+(.*)$') or rest:match('^:[0-5]%d(.*)$')
    or rest:match('^:60(.*)$') or rest
  return offset == 'Z' or offset == '' or offset:find('^[+-][01]%d:?[0-5]%d$') ~= nil
    or offset:find('^[+-][01]%d$') ~= nil
end

local function is_last_answer(value)
  return type(value) == 'table' and is_id(value.questionId, MAX_QUESTION_ID)
    and (value.answerId == '' or is_id(value.answerId, MAX_QUESTION_ID))
end

-- Whether a decoded state is of the channel that the conversation key names. Then its platform and channelId are as
-- valid as the key is, of which the first colon ends the platform.
local function is_of_channel(state, ref)
  return type(state.platform) == 'string' and type(state.channelId) == 'string'
    and ref.prefix .. 'conversation:' .. state.platform:lower() .. ':' .. state.channelId == ref.conversation
    and not state.platform:find(':', 1, true)
end

-- What is wrong with the members that make the keys, or nil.
local function problem_of_identity(state)
  if not is_id(state.jobId, MAX_ID) then return 'jobId ' .. BAD_ID:format(MAX_ID) end
  if not is_id(state.channelId, MAX_ID) then return 'channelId ' .. BAD_ID:format(MAX_ID) end
  if type(state.platform) ~= 'string' or not state.platform:find('^%w[%w._-]*$') then
    return 'platform must be a string of letters, digits, ".", "_" and "-" that begins with a letter or digit'
  end
  return nil
end

-- What is wrong with the other members, or nil.
local function problem_of_content(state)
  if type(state.userId) ~= 'string' or state.userId == '' then return 'userId must be a non-empty string' end
  if type(state.project) ~= 'string' or state.project == '' then return 'project must be a non-empty string' end
  local ticket = state.ticketId
  local kind = type(ticket)
  if kind == 'number' and ticket % 1 ~= 0 or kind ~= 'number' and kind ~= 'string' or ticket == '' then
    return 'ticketId must be an integer or a non-empty string'
  end
  if not is_date_time(state.startedAt) then
    return 'startedAt must be an ISO 8601 date and time, such as 2026-01-31T09:30:00.000Z'
  end
  local pending, last = state.pendingQuestionId, state.lastAnswer
  if pending ~= nil and pending ~= cjson.null and not is_id(pending, MAX_QUESTION_ID) then
    return 'pendingQuestionId, where it is not null or absent, ' .. BAD_ID:format(MAX_QUESTION_ID)
  end
  if last ~= nil and last ~= cjson.null and not is_last_answer(last) then
    return 'lastAnswer, where it is not null or absent, must be {"questionId": string, "answerId": string}, '
      .. 'each of at most 1024 bytes without control characters'
  end
  return nil
end

-- The index of the closing quote of the string that opens at \`from\`.
local function string_end(text, from)
  local at = text:find('["\\\\]', from + 1)
  while text:byte(at) == 92 do at = text:find('["\\\\]', at + 2) end
  return at
end

-- The index of the last byte of the value that begins at \`from\`.
local function value_end(text, from)
  local first = text:sub(from, from)
  if first == '"' then return string_end(text, from) end
  if first ~= '{' and first ~= '[' then return text:match('^[^%s,}]+()', from) - 1 end
  local depth, at = 0, from - 1
  repeat
    at = text:find('["{}%[%]]', at + 1)
    local byte = text:sub(at, at)
    if byte == '"' then at = string_end(text, at)
    elseif byte == '{' or byte == '[' then depth = depth + 1
    else depth = depth - 1 end
  until depth == 0
  return at
end

-- Where the value of a top-level member that is there begins and ends. Of members with one name the last counts,
-- as it does for JSON parsers.
local function value_of(text, name)
  local quoted = '"' .. name .. '"'
  local from, to = text:find(quoted, 1, true)
  -- The name's letters can be written as \\u0041 to \\u007a; where none is, a single occurrence is the member.
  if from and not text:find(quoted, to, true)
    and not (text:find('\\\\u', 1, true) and text:find('\\\\u00[4-7]')) then
    local value = text:match('^%s*:%s*()', to + 1)
    return value, value_end(text, value)
  end
  local first, last
  local at = text:find('"', 1, true)
  while at do
    local close = string_end(text, at)
    local member = text:sub(at, close)
    local value = text:match('^%s*:%s*()', close + 1)
    local stop = value_end(text, value)
    if member == quoted or member:find('\\\\', 1, true) and parse(member) == name then
      first, last = value, stop
    end
    at = text:find('"', stop + 1, true)
  end
  return first, last
end

-- The text with \`value\`, itself JSON, as its top-level member \`name\`. Every other byte stays.
local function put(text, state, name, value)
  if state[name] == nil then
    -- Mostly the brace that closes it is the last character and close behind the last member.
    local at = text:find('%S}$', -2) and #text or text:match('^.*%S()%s*}%s*$')
    return text:sub(1, at - 1) .. ',"' .. name .. '":' .. value .. text:sub(at)
  end
  local from, to = value_of(text, name)
  return text:sub(1, from - 1) .. value .. text:sub(to + 1)
end

-- A string without control characters as JSON.
local function quote(text)
  return '"' .. text:gsub('["\\\\]', '\\\\%0') .. '"'
end

local function check_size(text)
  if #text > MAX_STATE then
    fail('CONVSTATE', 'the state would have ' .. #text .. ' bytes; at most ' .. MAX_STATE .. ' are stored')
  end
end

-- What is stored -------------------------------------------------------------------------------------------------

-- Completes a reference that names only a job, by its index. False where there is none.
local function resolve(ref)
  if ref.conversation then return true end
  local key = call('GET', ref.job)
  if not key then return false end
  -- An index that leads out of its prefix would lead into another tenant's data.
  if key:sub(1, #ref.prefix + 13) ~= ref.prefix .. 'conversation:' then
    fail('CONVCORRUPT', 'the job index holds no conversation key of its own prefix')
  end
  ref.conversation, ref.indexed = key, true
  return true
end

local UNREADABLE = 'what is stored for this conversation cannot be read: it is not the JSON of a state'

-- A stored text decoded, or nil where it names no job. An id that came with a key need not be checked again.
local function readable(text, checked)
  local ok, state = decode(text)
  if not ok or type(state) ~= 'table' then return nil end
  if checked and state.jobId == checked or is_id(state.jobId, MAX_ID) then return state end
  return nil
end

-- Whether a stored text can name no other job than this one, seen at a glance, because decoding it costs more. With no
-- letter in it written as \\u0041 to \\u007a, a single "jobId" is the member, if the text is of a state at all.
local function names_only(text, job_id)
  local from, to = text:find('"jobId"', 1, true)
  return from and text:match('^:"([^"\\\\]*)"', to + 1) == job_id
    and not text:find('jobId"', to, true) and not text:find('\\\\u', 1, true)
end

-- The same for an answer to the caller. The text was checked when it was given, or is another program's; what must
-- hold to answer rightly is that it names a job and is of this conversation.
local function read(ref, text)
  local state = readable(text, ref.job_id)
  if not state then fail('CONVCORRUPT', UNREADABLE) end
  if not is_of_channel(state, ref) then
    fail('CONVCORRUPT', 'what is stored for this conversation is the state of another channel')
  end
  return state
end

-- Text and state of the conversation, or nil where there is none or another job than the one named holds it.
local function find(ref)
  local text = resolve(ref) and call('GET', ref.conversation)
  if not text then return nil end
  local state = read(ref, text)
  if ref.job and state.jobId ~= ref.job_id then return nil end
  return text, state
end

-- A command that the user may not run stops a call in the middle. So one that comes behind the first write is asked
-- for before it, and where it is not allowed it is run at once, for Redis to refuse it in its own words.
local function permit(command, key, argument)
  if not redis.acl_check_cmd(command, key, argument) then call(command, key, argument) end
end

-- The same, for a change: the index is looked at too, so that a key of another type is met before the first write.
local function find_to_change(ref)
  local text, state = find(ref)
  if not text then return nil end
  if ref.indexed then
    permit('SET', ref.conversation, '')
  elseif not ref.job then
    ref.job = ref.prefix .. 'job-index:' .. state.jobId
    permit('SET', ref.job, '')
  end
  ref.indexed = ref.indexed or call('GET', ref.job) == ref.conversation
  return text, state
end

-- A stored text with one or two members changed, fit to be stored.
local function change(text, state, name, value, second, second_value)
  if not is_json(text) then fail('CONVCORRUPT', UNREADABLE) end
  text = put(text, state, name, value)
  if second then text = put(text, state, second, second_value) end
  check_size(text)
  return text
end

-- The one deadline of a call.
local function deadline(ttl)
  local now = call('TIME')
  return ('%d'):format(now[1] * 1000 + now[2] / 1000 + ttl)
end

local function write(ref, text, at)
  call('SET', ref.job, ref.conversation, 'PXAT', at)
  call('SET', ref.conversation, text, 'PXAT', at)
end

local function renew(ref, text, ttl)
  local at = deadline(ttl)
  if not ref.indexed then return write(ref, text, at) end
  call('PEXPIREAT', ref.job, at)
  call('PEXPIREAT', ref.conversation, at)
end

-- Checks a state that is given.
local function check(ref, text)
  check_size(text)
  local ok, state = decode(text)
  if not ok then fail('CONVSTATE', 'the state must be JSON: ' .. state) end
  local mine = type(state) == 'table' and state.jobId == ref.job_id and is_of_channel(state, ref)
  if not mine and (type(state) ~= 'table' or text:find('^%s*%[')) then
    fail('CONVSTATE', 'the state must be a JSON object')
  end
  if not is_json(text) then
    fail('CONVSTATE', 'the state must be JSON: control characters in strings escaped, well-formed UTF-8 and numbers')
  end
  local problem = not mine and problem_of_identity(state) or problem_of_content(state)
  if problem then fail('CONVSTATE', problem) end
  if not mine then
    fail('CONVKEY', 'the keys are not those of the state: wanted ' .. CONVERSATION_KEY .. ' and ' .. JOB_KEY
      .. ' of its own platform, channelId and jobId')
  end
end

-- What the index of a job that is given holds: false, or a conversation key, which can only be this one.
local function bound(ref)
  local key = call('GET', ref.job)
  if key and key ~= ref.conversation and split_conversation(key) == ref.prefix then
    fail('CONVJOB', 'this job is bound to another conversation; remove that one first, or use another job id')
  end
  return key
end

-- The commands ---------------------------------------------------------------------------------------------------

--- Claims a channel for a job: of any number of simultaneous claims, one is \`claimed\`. The holder claiming again is
--- \`claimed\` too; its stored state is kept and its deadlines are renewed.
---@param ref Pair
---@param state State
---@param ttlMs? Milliseconds
---@return 'claimed'|'held' outcome
---@return State state What is stored now: the given state, or the holder's.
local function claim(ref, state, ttlMs)
  local ttl = milliseconds(ttlMs)
  check(ref, state)
  local key = bound(ref)
  if key and key ~= ref.conversation then
    fail('CONVCORRUPT', 'the job index holds no conversation key of its own prefix')
  end
  local text = call('GET', ref.conversation)
  if not text then
    write(ref, state, deadline(ttl))
    return 'claimed', state
  end
  if read(ref, text).jobId ~= ref.job_id then return 'held', text end
  ref.indexed = key == ref.conversation
  renew(ref, text, ttl)
  return 'claimed', text
end

--- Stores a state whatever stood there: the last write wins, and the index of a displaced job goes.
---@param ref Pair
---@param state State
---@param ttlMs? Milliseconds
---@return State? state What stood there.
local function set(ref, state, ttlMs)
  local ttl = milliseconds(ttlMs)
  check(ref, state)
  bound(ref)
  local text = call('GET', ref.conversation)
  local before = text and not names_only(text, ref.job_id) and readable(text)
  local at = deadline(ttl)
  if before and before.jobId ~= ref.job_id then
    local displaced = ref.prefix .. 'job-index:' .. before.jobId
    if call('GET', displaced) == ref.conversation then
      permit('SET', ref.conversation, '')
      call('DEL', displaced)
    end
  end
  write(ref, state, at)
  return text or nil
end

--- Reads a conversation and changes nothing.
---@param ref Reference
---@return State? state
local function get(ref)
  return (find(ref))
end

--- Reads the conversation a job holds and renews both deadlines: a message from a job is a sign of life.
---@param ref JobReference
---@param ttlMs? Milliseconds
---@return State? state
local function get_by_job(ref, ttlMs)
  local ttl = milliseconds(ttlMs)
  local text = find_to_change(ref)
  if not text then return nil end
  renew(ref, text, ttl)
  return text
end

--- Remembers which question waits for an answer.
---@param ref Reference
---@param questionId QuestionId An empty one clears.
---@param ttlMs? Milliseconds
---@return State? state The new state.
local function set_pending(ref, questionId, ttlMs)
  local ttl = milliseconds(ttlMs)
  if questionId ~= '' and not is_question_id(questionId) then
    fail('CONVARG', 'questionId, where it is not empty, ' .. BAD_ID:format(MAX_QUESTION_ID) .. ', in UTF-8')
  end
  local text, state = find_to_change(ref)
  if not text then return nil end
  local pending = state.pendingQuestionId
  if pending == cjson.null then pending = nil end
  if (pending or '') == questionId then
    renew(ref, text, ttl)
    return text
  end
  text = change(text, state, 'pendingQuestionId', questionId == '' and 'null' or quote(questionId))
  write(ref, text, deadline(ttl))
  return text
end

--- Answers a question. \`accepted\`: it was pending; it is cleared, \`lastAnswer\` is kept and, where a stream is named,
--- the fields are added to it in the same step. \`answered\`: somebody else's answer was first. \`stale\`: another
--- question or none is pending. \`gone\`: there is no conversation. The same answerId again is \`accepted\` again and not
--- published twice.
---@param ref AnswerReference
---@param questionId QuestionId
---@param answerId AnswerId
---@param ttlMs? Milliseconds Of the stream too.
---@param ... string Field and value, in turn, for the stream; at most 1024 of each.
---@return 'accepted'|'answered'|'stale'|'gone' outcome
---@return State? state
local function answer(ref, questionId, answerId, ttlMs, ...)
  local ttl, fields = milliseconds(ttlMs), select('#', ...)
  if not is_question_id(questionId) then
    fail('CONVARG', 'questionId ' .. BAD_ID:format(MAX_QUESTION_ID) .. ', in UTF-8')
  end
  if answerId ~= '' and not is_question_id(answerId) then
    fail('CONVARG', 'answerId, where it is not empty, ' .. BAD_ID:format(MAX_QUESTION_ID) .. ', in UTF-8')
  end
  if fields % 2 ~= 0 then fail('CONVARG', 'every field needs a value') end
  if ref.stream and fields == 0 then fail('CONVARG', 'a stream needs at least one field and its value') end
  if fields > 0 and not ref.stream then fail('CONVARG', 'fields need a stream key to go to') end
  local text, state = find_to_change(ref)
  if not text then return 'gone', false end
  local last = type(state.lastAnswer) == 'table' and state.lastAnswer or {}
  local same_question = last.questionId == questionId
  local again = same_question and last.answerId == answerId and answerId ~= ''
  if state.pendingQuestionId == questionId then
    text = change(text, state, 'pendingQuestionId', 'null', 'lastAnswer',
      '{"questionId":' .. quote(questionId) .. ',"answerId":' .. quote(answerId) .. '}')
    local at = deadline(ttl)
    -- A question that was asked again, by a resend perhaps, is not answered twice by one answer.
    if ref.stream and not again then
      permit('PEXPIREAT', ref.stream, at)
      permit('SET', ref.conversation, '')
      call('XADD', ref.stream, 'MAXLEN', '~', STREAM_LENGTH, '*', ...)
      call('PEXPIREAT', ref.stream, at)
    end
    write(ref, text, at)
    return 'accepted', text
  end
  if again then return 'accepted', text end
  return same_question and 'answered' or 'stale', text
end

--- Forgets a conversation. \`removed\`: it is gone now. \`held\`: another job took the channel over; only the caller's
--- stale index goes. \`gone\`: there was none. By conversation key alone, a value that cannot be read is removed too.
---@param ref Reference
---@return 'removed'|'held'|'gone' outcome
---@return State? state What was removed, or the holder's.
local function remove(ref)
  local text = resolve(ref) and call('GET', ref.conversation)
  local holder
  if text and ref.job then
    holder = read(ref, text).jobId
  elseif text then
    local state = readable(text)
    holder = state and state.jobId
    ref.job = holder and ref.prefix .. 'job-index:' .. holder
  end
  local mine = text and (not ref.job_id or holder == ref.job_id)
  local indexed = ref.indexed or ref.job and ref.conversation and call('GET', ref.job) == ref.conversation
  -- Both in one command: a user who may not delete one of them deletes neither.
  if mine and indexed then call('DEL', ref.conversation, ref.job)
  elseif mine then call('DEL', ref.conversation)
  elseif indexed then call('DEL', ref.job) end
  if not text then return 'gone', false end
  return mine and 'removed' or 'held', text
end

--- The library's version.
---@return string version
local function version()
  return VERSION
end

-- Registrations --------------------------------------------------------------------------------------------------

local function run(body, keys_of, fewest, most, keys, args)
  if #args < fewest or most and #args > most then
    local wanted = fewest == most and fewest or most and fewest .. ' to ' .. most or 'at least ' .. fewest
    fail('CONVARG', 'wanted ' .. wanted .. ' arguments, ' .. #args .. ' were given')
  end
  if #args > 2 * MAX_FIELDS + 3 then fail('CONVARG', 'at most ' .. MAX_FIELDS .. ' fields are taken') end
  return body(keys_of(keys), unpack(args))
end

-- A command as Redis calls it: one value is answered as it is, two as an array, an error as an error. In an array
-- false stands for nil, which would end it.
local function served(body, keys_of, fewest, most)
  return function(keys, args)
    -- The last that wake() sets, so that one which fails is tried again.
    if not parse then wake() end
    local ok, first, second = pcall(run, body, keys_of, fewest, most, keys, args)
    if not ok then return redis.error_reply(first) end
    if second == nil then return first end
    return { first, second }
  end
end

redis.register_function({ function_name = 'conv_claim', callback = served(claim, pair, 1, 2) })
redis.register_function({ function_name = 'conv_set', callback = served(set, pair, 1, 2) })
redis.register_function({
  function_name = 'conv_get', callback = served(get, reference, 0, 0), flags = { 'no-writes' },
})
redis.register_function({ function_name = 'conv_get_by_job', callback = served(get_by_job, job_reference, 0, 1) })
redis.register_function({ function_name = 'conv_set_pending', callback = served(set_pending, reference, 1, 2) })
redis.register_function({ function_name = 'conv_answer', callback = served(answer, answer_reference, 2) })
redis.register_function({
  function_name = 'conv_remove', callback = served(remove, reference, 0, 0), flags = { 'allow-oom' },
})
redis.register_function({
  function_name = 'conv_version', callback = served(version, no_keys, 0, 0), flags = { 'no-writes' },
})
`;
