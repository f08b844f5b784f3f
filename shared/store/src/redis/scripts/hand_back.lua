#!lua flags=allow-oom
-- Hands claimed attempts of one partition back, as if never claimed.
-- KEYS  1 watch, then the run of each
-- ARGV  1 look after (ms), then for each: field, token, task
-- Answers how many were handed back.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local look = string.format('%.0f', now + ARGV[1])
local looks = {}
for place = 2, #KEYS do
  local key, at = KEYS[place], 3 * place - 4
  local field = ARGV[at]
  local record = redis.pcall('HGET', key, field)
  if type(record) == 'table' then
    record = false -- a damaged run is as good as gone
  end
  local holder, dispatched
  if record then
    holder, dispatched = string.match(record, '^c|(%x+)|%x+|%-?%d+|(.*)$')
  end
  if holder == ARGV[at + 1] then
    redis.call('HSET', key, field, 'q|' .. dispatched)
    looks[#looks + 1] = look
    looks[#looks + 1] = ARGV[at + 2]
  end
end
if #looks > 0 then
  redis.call('ZADD', KEYS[1], unpack(looks))
end
return #looks / 2
