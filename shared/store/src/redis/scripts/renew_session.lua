#!lua flags=allow-oom
-- Renews a worker's presence, and forgets those that nobody renewed for long. What was renewed when the clock was ahead
-- was renewed now.
-- KEYS  1 sessions, 2 when each was renewed, 3 the pools that are paused
-- ARGV  1 session, 2 what is known of it (JSON), 3 after how long one is forgotten (ms)
-- Answers the names of the pools that are paused.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local stamp = string.format('%.0f', now)
redis.call('ZADD', KEYS[2], stamp, ARGV[1])
for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. stamp, '+inf')) do
  redis.call('ZADD', KEYS[2], stamp, other)
end
local old = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - ARGV[3]), 'LIMIT', 0, 100)
if #old > 0 then
  redis.call('HDEL', KEYS[1], unpack(old))
  redis.call('ZREM', KEYS[2], unpack(old))
end
return redis.call('HKEYS', KEYS[3])
