#!lua name=floor
--
-- What the library's functions are measured against: the same Redis commands in the same order, the deadline reckoned
-- the same way, and nothing checked, parsed or decided. A call that changes a state writes back the text it read.

local function deadline()
  local now = redis.call('TIME')
  return ('%d'):format(now[1] * 1000 + now[2] / 1000 + 7200000)
end

-- Reads both keys, the one at `first` before the other, and writes them. Returns the state that was there.
local function rewrite(keys, first, state)
  local one, other = redis.call('GET', keys[first]), redis.call('GET', keys[3 - first])
  local text, at = first == 1 and one or other, deadline()
  redis.call('SET', keys[2], keys[1], 'PXAT', at)
  redis.call('SET', keys[1], state or text, 'PXAT', at)
  return text
end

redis.register_function('floor_claim', function(keys, args)
  return { 'claimed', rewrite(keys, 2, args[1]) or args[1] }
end)
redis.register_function('floor_set', function(keys, args) return rewrite(keys, 2, args[1]) end)
redis.register_function('floor_get_by_job', function(keys)
  local key = redis.call('GET', keys[1])
  local text, at = redis.call('GET', key), deadline()
  redis.call('PEXPIREAT', keys[1], at)
  redis.call('PEXPIREAT', key, at)
  return text
end)
redis.register_function('floor_set_pending', function(keys) return rewrite(keys, 1) end)
redis.register_function('floor_answer', function(keys) return { 'accepted', rewrite(keys, 1) } end)
redis.register_function('floor_remove', function(keys)
  local text = redis.call('GET', keys[1])
  redis.call('GET', keys[2])
  redis.call('ZSCORE', 'conversation-watch', keys[2])
  redis.call('DEL', keys[1], keys[2])
  return { 'removed', text }
end)
