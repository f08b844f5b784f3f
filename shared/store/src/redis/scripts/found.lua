#!lua flags=allow-oom
-- Agrees on what is fixed for a cluster: writes what is not there. Fields that this program does not know stay.
-- KEYS  1 meta
-- ARGV  1 id, 2 partitions, 3 queues (empty: not to be said), 4 format, 5 its minor number, which rises and never falls
-- Answers what holds: {id, partitions, queues, format, since, minor}.
local since = '0' -- of a store that an older program has founded
if redis.call('EXISTS', KEYS[1]) == 0 then
  local time = redis.call('TIME')
  since = string.format('%.0f', time[1] * 1000000 + time[2])
end
local wanted = {'id', ARGV[1], 'partitions', ARGV[2], 'format', ARGV[4], 'since', since}
if ARGV[3] ~= '' then
  table.insert(wanted, 'queues')
  table.insert(wanted, ARGV[3])
end
for at = 1, #wanted, 2 do
  redis.call('HSETNX', KEYS[1], wanted[at], wanted[at + 1])
end
local minor = tonumber(redis.call('HGET', KEYS[1], 'minor') or '0')
if minor and tonumber(ARGV[5]) > minor then
  redis.call('HSET', KEYS[1], 'minor', ARGV[5])
end
return redis.call('HMGET', KEYS[1], 'id', 'partitions', 'queues', 'format', 'since', 'minor')
