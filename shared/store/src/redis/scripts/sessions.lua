#!lua flags=no-writes
-- Reads the sessions that were renewed lately.
-- KEYS  1 sessions, 2 when each was renewed
-- ARGV  1 how lately (ms), 2 how many at most
-- Answers what is known of each (JSON).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = string.format('%.0f', now - ARGV[1])
local known = {}
for _, session in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[2], '+inf', since, 'LIMIT', 0, ARGV[2])) do
  local session = redis.call('HGET', KEYS[1], session)
  if session then
    known[#known + 1] = session
  end
end
return known
