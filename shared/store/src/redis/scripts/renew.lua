#!lua flags=allow-oom
-- Keeps a partition.
-- KEYS  1 own
-- ARGV  1 epoch, 2 for how long from now (ms)
-- Answers the seq of its last commit, or nothing when it has another epoch now or was given back.
local own = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'seq')
if own[1] ~= ARGV[1] or not own[2] then
  return false
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ARGV[2]))
return own[3]
