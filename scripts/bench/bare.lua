#!lua name=bare
--
-- What the library's functions are measured against: the same Redis commands in the same order, the deadline reckoned
-- the same way, and nothing that is checked, parsed or decided. What a change would store is given by the caller.

local function deadline()
  local now = redis.call('TIME')
  return ('%d'):format(now[1] * 1000 + now[2] / 1000 + 7200000)
end

local function write(keys, text, at)
  redis.call('SET', keys[2], keys[1], 'PXAT', at)
  redis.call('SET', keys[1], text, 'PXAT', at)
end

redis.register_function('bare_claim', function(keys, args)
  redis.call('GET', keys[2])
  redis.call('GET', keys[1])
  write(keys, args[1], deadline())
  return { 'claimed', args[1] }
end)

redis.register_function('bare_set', function(keys, args)
  redis.call('GET', keys[2])
  local text = redis.call('GET', keys[1])
  write(keys, args[1], deadline())
  return text
end)

redis.register_function('bare_get_by_job', function(keys)
  local key = redis.call('GET', keys[1])
  local text = redis.call('GET', key)
  local at = deadline()
  redis.call('PEXPIREAT', keys[1], at)
  redis.call('PEXPIREAT', key, at)
  return text
end)

redis.register_function('bare_set_pending', function(keys, args)
  redis.call('GET', keys[1])
  redis.call('GET', keys[2])
  write(keys, args[1], deadline())
  return args[1]
end)

redis.register_function('bare_answer', function(keys, args)
  redis.call('GET', keys[1])
  redis.call('GET', keys[2])
  write(keys, args[1], deadline())
  return { 'accepted', args[1] }
end)

redis.register_function('bare_remove', function(keys)
  local text = redis.call('GET', keys[1])
  redis.call('GET', keys[2])
  redis.call('ZSCORE', 'conversation-watch', keys[2])
  redis.call('DEL', keys[1], keys[2])
  return { 'removed', text }
end)
