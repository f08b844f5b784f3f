#!lua flags=allow-oom
-- Keeps a partition, raises its watermark, and drops the letters that are below the asker's. (The stored one may be of a
-- clock that was ahead, and then says nothing.)
-- KEYS  1 own, 2 letters
-- ARGV  1 epoch, 2 for how long from now (ms), 3 published until (ms)
-- Answers the seq of its last commit, or nothing when it has another epoch now or was given back.
local own = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'seq', 'published_until')
if own[1] ~= ARGV[1] or not own[2] then
  return false
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local published = own[4] or '0'
if tonumber(ARGV[3]) > tonumber(published) then
  published = ARGV[3]
end
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ARGV[2]), 'published_until', published)
-- Spoiled by somebody, they keep nobody from owning the partition.
redis.pcall('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[3])
return own[3]
