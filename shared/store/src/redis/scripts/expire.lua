#!lua flags=allow-oom
-- Forgets runs that ended long ago, with all that belongs to them. A keyed run younger than a day is set aside
-- (in `pinned`, by the end of its day) so that it neither goes nor stands in the way of others.
-- KEYS  1 ended, 2 pinned, 3 runs, 4 timers, 5 watch; runs, logs and lists by workflow are of the same partition
-- ARGV  1 until (ms), 2 how many ended runs to keep, 3 how many to look at, 4 the prefix of run keys, 5 of log
--       keys, 6 of lists by workflow, 7 how long a keyed run stays (ms), 8 how many fields of runs to look at
-- Answers {how many were forgotten, how many were looked at}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit = tonumber(ARGV[3])

local grown = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now), 'LIMIT', 0, limit)
for _, member in ipairs(grown) do
  local expires, run = string.match(member, '^(%-?%d+)|(.*)$')
  redis.call('ZREM', KEYS[2], member)
  redis.call('ZADD', KEYS[1], expires, run)
end

local due = redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[1])
local excess = redis.call('ZCARD', KEYS[1]) - ARGV[2]
local count = math.min(math.max(due, excess), limit)
if count <= 0 then
  return {0, #grown}
end
-- A run usually has none of these left; who knows.
local function leftovers(run, fields)
  local timers, tasks = {'start:' .. run, 'timeout:' .. run, 'cancel:' .. run}, {}
  for _, field in ipairs(fields) do
    local kind, name = string.match(field, '^([st])(%d.*)$')
    if kind == 's' then
      timers[#timers + 1] = 'retry:' .. run .. ':' .. name
    elseif kind == 't' then
      tasks[#tasks + 1] = run .. ':' .. name
    end
  end
  return timers, tasks
end
local function remove(key, members)
  for at = 1, #members, 4000 do
    redis.call('ZREM', key, unpack(members, at, math.min(at + 3999, #members)))
  end
end

local ended = redis.call('ZRANGE', KEYS[1], 0, count - 1, 'WITHSCORES')
local forgotten, looked, budget = 0, 0, tonumber(ARGV[8])
for at = 1, #ended, 2 do
  if budget <= 0 then
    break
  end
  looked = looked + 1
  local run, expires = ended[at], ended[at + 1]
  local key = ARGV[4] .. run
  local about = redis.call('HMGET', key, 'k', 'w')
  local stays = about[1] and about[1] + ARGV[7]
  redis.call('ZREM', KEYS[1], run)
  if stays and stays > now then
    redis.call('ZADD', KEYS[2], string.format('%.0f', stays), expires .. '|' .. run)
  else
    local fields = redis.call('HKEYS', key)
    budget = budget - #fields
    local timers, tasks = leftovers(run, fields)
    remove(KEYS[4], timers)
    remove(KEYS[5], tasks)
    redis.call('UNLINK', key, ARGV[5] .. run)
    if about[2] then
      redis.call('ZREM', KEYS[3], run .. '|' .. about[2])
      redis.call('ZREM', ARGV[6] .. about[2], run)
    else
      redis.call('ZREM', KEYS[3], run)
    end
    forgotten = forgotten + 1
  end
end
return {forgotten, #grown + looked}
