#!lua flags=allow-oom
-- Sets when watched attempts are looked at next: of those that are due, and of those that would be looked at later.
-- Those no longer watched stay so.
-- KEYS  1 own, 2 watch
-- ARGV  1 epoch, 2 due until (ms), then pairs: when (ms), task
-- Answers 1, or 0 when the epoch is stale.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return 0
end
local due = tonumber(ARGV[2])
for at = 3, #ARGV, 2 do
  local look = redis.call('ZSCORE', KEYS[2], ARGV[at + 1])
  if look and (tonumber(look) <= due or tonumber(look) > tonumber(ARGV[at])) then
    redis.call('ZADD', KEYS[2], ARGV[at], ARGV[at + 1])
  end
end
return 1
