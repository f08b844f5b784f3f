#!lua flags=allow-oom
-- Gives a partition back. Its epoch and seq stay, for whoever takes it next.
-- KEYS  1 own
-- ARGV  1 epoch
-- Answers 1, or 0 when it has another epoch now.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return 0
end
redis.call('HDEL', KEYS[1], 'owner', 'until')
return 1
