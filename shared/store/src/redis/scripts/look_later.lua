#!lua flags=allow-oom
-- Moves when watched attempts are looked at; those no longer watched stay so.
-- KEYS  1 own, 2 watch
-- ARGV  1 epoch, then pairs: when (ms), task
-- Answers 1, or 0 when the epoch is stale.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return 0
end
redis.call('ZADD', KEYS[2], 'XX', unpack(ARGV, 2))
return 1
