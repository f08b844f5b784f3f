#!lua flags=allow-oom
-- Takes attempts back, under the fence of the owner's epoch. They stay watched until their owner retires them.
-- KEYS  1 own, then the run of each
-- ARGV  1 epoch, then for each: field, what if it is claimed ('unclaimed': leave it, 'anyway': take it,
--       a session: take it when it is claimed under that one)
-- Answers for each: 0 gone (or a record that only a newer program knows, which stays), 1 taken back, 2 taken back
-- and nobody had claimed it, 'c<session>' claimed and left, 'f<result>' ended.
local current = redis.call('HGET', KEYS[1], 'epoch') == ARGV[1]
local answers = {}
for at = 2, #ARGV, 2 do
  local key, field, mode = KEYS[#answers + 2], ARGV[at], ARGV[at + 1]
  local record = current and redis.pcall('HGET', key, field)
  if type(record) == 'table' then
    record = false -- a damaged run is as good as gone
  end
  local phase = record and string.sub(record, 1, 1)
  local answer = 0
  if phase == 'f' then
    answer = 'f' .. string.match(record, '^f|%x+|(.*)$')
  elseif phase == 'x' then
    answer = string.sub(record, -2) == '|q' and 2 or 1
  elseif phase == 'q' or phase == 'c' then
    local session = string.match(record, '^c|%x+|(%x+)|')
    if session and mode ~= 'anyway' and mode ~= session then
      answer = 'c' .. session
    else
      local dispatched = string.match(record, session and '^c|%x+|%x+|%-?%d+|(%d+)' or '^q|(%d+)')
      local back = dispatched and 'x|' .. dispatched or 'x'
      redis.call('HSET', key, field, session and back or back .. '|q')
      answer = session and 1 or 2
    end
  end
  answers[#answers + 1] = answer
end
return answers
