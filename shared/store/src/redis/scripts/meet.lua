#!lua flags=allow-oom
-- A producer says that it is here, and learns who else is.
-- KEYS  1 producers
-- ARGV  1 producer, 2 for how long (ms)
-- Answers all that are here now.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
