#!lua flags=allow-oom
-- Stores outcomes of attempts of one partition.
-- KEYS  the run of each
-- ARGV  for each: field, token, result
-- Answers for each: 1 stored, 0 stale, 2 its run is not there.
local answers = {}
for at = 1, #ARGV, 3 do
  local key, field, token = KEYS[#answers + 1], ARGV[at], ARGV[at + 1]
  local record = redis.pcall('HGET', key, field)
  if type(record) == 'table' then
    record = false -- a damaged run is as good as gone
  end
  local phase, holder
  if record then
    phase, holder = string.match(record, '^([cf])|(%x+)|')
  end
  local answer = 0
  if phase == 'c' and holder == token then
    local dispatched = string.match(record, '^c|%x+|%x+|%-?%d+|(%d+)') or ''
    redis.call('HSET', key, field, 'f|' .. token .. dispatched .. '|' .. ARGV[at + 2])
    answer = 1
  elseif phase == 'f' and string.sub(holder, 1, 32) == token then
    answer = 1
  elseif not record and redis.call('EXISTS', key) == 0 then
    answer = 2
  end
  answers[#answers + 1] = answer
end
return answers
