#!lua name=floor
--
-- What the library's functions are measured against: the same Redis commands in the same order, and nothing checked,
-- parsed or decided. A call that changes a state writes back the text it read.

local CONVERSATION, INBOX, HANDLED = 'conversation:', 'conversation-inbox:', 'conversation-handled:'
local DAY = 86400000

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function beside(name, key) return name .. key:sub(#CONVERSATION + 1) end

local function write(keys, text, time)
  redis.call('PEXPIRETIME', beside(INBOX, keys[1]))
  local at = ('%d'):format(time + 7200000)
  redis.call('SET', keys[1], text, 'PXAT', at)
  redis.call('SET', keys[2], keys[1], 'PXAT', at)
end

local function store(keys, args)
  redis.call('GET', keys[2])
  local before, time = redis.call('GET', keys[1]), now()
  write(keys, args[1], time)
  return before
end

local function fetch(keys)
  local text = redis.call('GET', keys[1])
  redis.call('GET', keys[2])
  return text
end

redis.register_function('floor_claim', function(keys, args)
  store(keys, args)
  return { 'claimed', args[1] }
end)
redis.register_function('floor_set', store)
redis.register_function('floor_get_by_job', function(keys)
  local key = redis.call('GET', keys[1])
  local text, time = redis.call('GET', key), now()
  redis.call('PEXPIRETIME', key)
  redis.call('PEXPIRETIME', beside(INBOX, key))
  local at = ('%d'):format(time + 7200000)
  redis.call('PEXPIREAT', key, at)
  redis.call('PEXPIREAT', keys[1], at)
  return text
end)
redis.register_function('floor_set_pending', function(keys)
  local text, time = fetch(keys), now()
  redis.call('PEXPIRETIME', keys[1])
  write(keys, text, time)
  return text
end)
redis.register_function('floor_answer', function(keys, args)
  local text, time, handled = fetch(keys), now(), beside(HANDLED, keys[1])
  redis.call('ZSCORE', handled, args[2])
  redis.call('ZCARD', handled)
  redis.call('ZADD', handled, time, args[2])
  redis.call('ZREMRANGEBYSCORE', handled, '-inf', time - DAY)
  redis.call('PEXPIREAT', handled, time + DAY)
  write(keys, text, time)
  return { 'accepted', text }
end)
redis.register_function('floor_remove', function(keys)
  local text, inbox = redis.call('GET', keys[1]), beside(INBOX, keys[1])
  redis.call('XLEN', inbox)
  redis.call('GET', keys[2])
  redis.call('ZSCORE', 'conversation-watch', keys[2])
  redis.call('DEL', inbox, keys[2], keys[1])
  return { 'removed', text }
end)
