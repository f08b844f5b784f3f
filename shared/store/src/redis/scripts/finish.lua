#!lua flags=allow-oom
-- Stores outcomes of attempts of one partition.
-- KEYS  1 watch; the runs are of the same partition
-- ARGV  1 look after (ms), then for each: run key, field, token, result, task
-- Answers for each: 1 stored, 0 stale.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local look = string.format('%.0f', now + ARGV[1])
local answers, looks = {}, {}
for at = 2, #ARGV, 5 do
  local key, field, token = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local record = redis.pcall('HGET', key, field)
  if type(record) == 'table' then
    record = false -- a damaged run is as good as gone
  end
  local phase, holder
  if record then
    phase, holder = string.match(record, '^([cf])|(%x+)|')
  end
  local answer = 0
  if holder == token then
    if phase == 'c' then
      redis.call('HSET', key, field, 'f|' .. token .. '|' .. ARGV[at + 3])
      looks[#looks + 1] = look
      looks[#looks + 1] = ARGV[at + 4]
    end
    answer = 1
  end
  answers[#answers + 1] = answer
end
if #looks > 0 then
  redis.call('ZADD', KEYS[1], unpack(looks))
end
return answers
