#!lua flags=allow-oom
-- A producer says that it is here, and learns who else is. Nobody is here for longer than the asker asks for: who seems
-- to be was here when the clock was ahead, and has to say so again.
-- KEYS  1 producers
-- ARGV  1 producer, 2 for how long (ms)
-- Answers all that are here now.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local farthest = string.format('%.0f', now + ARGV[2])
for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. farthest, '+inf')) do
  redis.call('ZADD', KEYS[1], farthest, other)
end
redis.call('ZADD', KEYS[1], farthest, ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
