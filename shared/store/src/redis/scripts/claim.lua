#!lua
-- Asks for attempts of one partition. Not allowed when memory is full: what is running may end, nothing starts.
-- KEYS  1 watch, then the run of each
-- ARGV  1 look again after (ms), then for each: field, token, session, task
-- Answers for each: 0 stale, 1 granted, 2 its run is not there, 'c<session>' held, 'f<result>' ended.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%.0f', now)
local look = string.format('%.0f', now + ARGV[1])
local answers, looks = {}, {}
for at = 2, #ARGV, 4 do
  local key, field, token = KEYS[#answers + 2], ARGV[at], ARGV[at + 1]
  local record = redis.pcall('HGET', key, field)
  if type(record) == 'table' then
    record = false -- a damaged run is as good as gone
  end
  local phase = record and string.sub(record, 1, 1)
  local answer = 0
  if phase == 'q' then
    redis.call('HSET', key, field,
      'c|' .. token .. '|' .. ARGV[at + 2] .. '|' .. stamp .. string.sub(record, 2))
    looks[#looks + 1] = look
    looks[#looks + 1] = ARGV[at + 3]
    answer = 1
  elseif phase == 'c' then
    local holder, session = string.match(record, '^c|(%x+)|(%x+)|')
    answer = holder == token and 1 or 'c' .. session
  elseif phase == 'f' then
    answer = 'f' .. string.match(record, '^f|%x+|(.*)$')
  elseif not record and redis.call('EXISTS', key) == 0 then
    answer = 2
  end
  answers[#answers + 1] = answer
end
if #looks > 0 then
  redis.call('ZADD', KEYS[1], unpack(looks))
end
return answers
