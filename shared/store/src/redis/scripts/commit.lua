#!lua flags=allow-oom
-- Applies one commit: the fence and the checks are here, the writes are composed by the caller (writes.rs), so
-- that a run costs one HSET and a partition one ZADD. Loaded twice: a commit that creates goes through the copy
-- without `allow-oom`.
-- KEYS  1 own, then the runs that must be absent, then those that must be there, then what else is written to
-- ARGV  1 epoch, 2 seq, 3 published until, 4 what to answer when this seq is sent again (run ids),
--       5 how many keys must be absent, 6 how many must be there,
--       then the writes, each: how many words there are after the next two, the command, the place of its key, the words
-- Answers {1, run ids, damaged key, ...} when it holds (now, or since an earlier sending), but for keys that are of
--         another type than they should be; {0, epoch, seq} when it is fenced off;
--         {2, place, ...} with the places of keys (from 1) that are there or absent against expectation: nothing
--         was written then.
local own = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'last')
local epoch, seq = own[1] or '0', own[2] or '0'
if not own[1] or epoch ~= ARGV[1] then
  return {0, epoch, seq}
end
if seq == ARGV[2] and seq ~= '0' then
  return {1, own[3] or ''}
end
if tonumber(seq) + 1 ~= tonumber(ARGV[2]) then
  return {0, epoch, seq}
end

local PIECE = 4000 -- of what `unpack` takes at once (its limit is near 8000)
local absent, present = tonumber(ARGV[5]), tonumber(ARGV[6])
local first = 2

-- Usually all is as expected, and one EXISTS says so.
local function against(from, count, expected, found)
  local there = 0
  for at = from, from + count - 1, PIECE do
    there = there + redis.call('EXISTS', unpack(KEYS, at, math.min(at + PIECE, from + count) - 1))
  end
  if there == count * expected then
    return
  end
  for at = from, from + count - 1 do
    if redis.call('EXISTS', KEYS[at]) ~= expected then
      found[#found + 1] = at - first + 1
    end
  end
end
local conflicts = {2}
against(first, absent, 0, conflicts)
against(first + absent, present, 1, conflicts)
if #conflicts > 1 then
  return conflicts
end

-- There is no way back from here: a key that somebody else has spoiled must not keep the others from being written.
-- Every task pays for this loop: locals, and numbers by arithmetic, make good what it costs to look a key up.
local at, count, KEYS, ARGV, pcall = 7, #ARGV, KEYS, ARGV, redis.pcall
local answer = {1, ARGV[4]}
while at <= count do
  local last, key = at + 2 + ARGV[at], KEYS[ARGV[at + 2] + 0]
  local done = pcall(ARGV[at + 1], key, unpack(ARGV, at + 3, last))
  if type(done) == 'table' and done.err then
    if not string.find(done.err, 'WRONGTYPE', 1, true) then
      return done
    end
    answer[#answer + 1] = key
  end
  at = last + 1
end
redis.call('HSET', KEYS[1], 'seq', ARGV[2], 'published_until', ARGV[3], 'last', ARGV[4])
return answer
