#!lua flags=allow-oom
-- Forgets runs that ended long ago, with all that belongs to them. A keyed run younger than a day is set aside
-- (in `pinned`, by the end of its day) so that it neither goes nor stands in the way of others.
-- The one script that touches keys it does not declare: which runs they are of is only found here, and asking first
-- would take a second trip. They are of the same partition, and so of the same slot. While that moves from one server to
-- another, a run that has moved is an error: it is left for the next call, since it leaves `ended` last.
-- KEYS  1 ended, 2 pinned, 3 runs, 4 timers, 5 watch
-- ARGV  1 until (ms), 2 how many ended runs to keep, 3 how many to look at, 4 the prefix of lists by workflow,
--       5 how long a keyed run stays (ms), 6 how many fields of runs to look at, 7 the prefix of runs, then those of
--       all other keys that a run owns
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
local forgotten, looked, budget = 0, 0, tonumber(ARGV[6])
for at = 1, #ended, 2 do
  if budget <= 0 then
    break
  end
  looked = looked + 1
  local run, expires = ended[at], ended[at + 1]
  local owned = {}
  for place = 7, #ARGV do
    owned[#owned + 1] = ARGV[place] .. run
  end
  local about, fields = redis.pcall('HMGET', owned[1], 'k', 'w'), nil
  if about.err then
    if not string.find(about.err, 'WRONGTYPE', 1, true) then
      return about
    end
    about, fields = {}, {} -- a damaged run is as good as gone
  end
  local stays = about[1] and about[1] + ARGV[5]
  if stays and stays > now then
    redis.call('ZADD', KEYS[2], string.format('%.0f', stays), expires .. '|' .. run)
  else
    fields = fields or redis.call('HKEYS', owned[1])
    budget = budget - #fields
    local timers, tasks = leftovers(run, fields)
    remove(KEYS[4], timers)
    remove(KEYS[5], tasks)
    if about[2] then
      redis.call('ZREM', KEYS[3], run .. '|' .. about[2])
      redis.call('ZREM', ARGV[4] .. about[2], run)
    else
      redis.call('ZREM', KEYS[3], run)
    end
    redis.call('UNLINK', unpack(owned))
    forgotten = forgotten + 1
  end
  redis.call('ZREM', KEYS[1], run)
end
return {forgotten, #grown + looked}
