#!lua flags=allow-oom
-- Takes a partition that is free, lapsed, or the asker's own, and begins a new epoch. One that is held for longer than
-- the asker would hold it was taken or kept when the clock was ahead: from now on it is held for as long as that.
-- KEYS  1 own
-- ARGV  1 owner, 2 for how long (ms)
-- Answers {1, epoch, epoch before, its last seq, published until} when taken (empty texts for what never was),
--         {0, owner, until} when somebody else holds it.
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local own = redis.call('HMGET', KEYS[1], 'owner', 'until', 'epoch', 'seq', 'published_until', 'ends')
if own[1] and own[1] ~= ARGV[1] and tonumber(own[2]) > now then
  local till, farthest = own[2], string.format('%.0f', now + ARGV[2])
  if tonumber(till) > tonumber(farthest) then
    till = farthest
    redis.call('HSET', KEYS[1], 'until', till)
  end
  return {0, own[1], till}
end
local epoch = micros
if own[3] and tonumber(own[3]) + 1 > epoch then
  epoch = tonumber(own[3]) + 1
end
local number = string.format('%.0f', epoch)
-- Where the last epochs ended, the newest first: what says that it is of one of them and beyond its end was lost.
local ends, count = own[3] and own[3] .. ':' .. own[4] or '', own[3] and 1 or 0
for ended in string.gmatch(own[6] or '', '%S+') do
  if count == 16 then
    break
  end
  ends, count = ends .. ' ' .. ended, count + 1
end
redis.call('HSET', KEYS[1], 'ends', ends, 'owner', ARGV[1], 'until', string.format('%.0f', now + ARGV[2]),
  'epoch', number, 'seq', '0', 'last', '')
return {1, number, own[3] or '', own[4] or '', own[5] or ''}
