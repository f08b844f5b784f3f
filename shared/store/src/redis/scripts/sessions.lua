#!lua flags=no-writes
-- Reads the sessions that were renewed lately.
-- KEYS  1 sessions, 2 when each was renewed
-- ARGV  1 how lately (ms), 2 how many at most
-- Answers for each: what is known of it (JSON), how long ago it was renewed (ms; below 0 when the clock was ahead then).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = string.format('%.0f', now - ARGV[1])
local known = {}
local renewed = redis.call('ZREVRANGEBYSCORE', KEYS[2], '+inf', since, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for at = 1, #renewed, 2 do
  local session = redis.call('HGET', KEYS[1], renewed[at])
  if session then
    known[#known + 1] = session
    known[#known + 1] = string.format('%.0f', now - renewed[at + 1])
  end
end
return known
