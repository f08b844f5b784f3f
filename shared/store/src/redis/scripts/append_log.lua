#!lua
-- Adds to the log of an attempt, within its budget. The log of a run that is gone is not kept.
-- KEYS  1 run, 2 log of the run (one hash for all its attempts: `<attempt>` holds `<chunks>|<bytes>`,
--       `<attempt>:<n>` the n-th chunk)
-- ARGV  1 attempt (`<step>:<attempt>`), 2 budget (bytes), then for each chunk: its bytes, the chunk
-- Answers how many chunks were kept.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local tally = redis.call('HGET', KEYS[2], ARGV[1])
local chunks, bytes = 0, 0
if tally then
  chunks, bytes = string.match(tally, '^(%d+)|(%d+)$')
  chunks, bytes = tonumber(chunks), tonumber(bytes)
end
local budget, kept, fields = tonumber(ARGV[2]), 0, {}
for at = 3, #ARGV, 2 do
  local size = tonumber(ARGV[at])
  if bytes + size > budget then
    bytes = math.max(bytes, budget) -- a smaller one that comes later would look as if nothing were missing
    break
  end
  bytes = bytes + size
  fields[#fields + 1] = ARGV[1] .. ':' .. string.format('%.0f', chunks + kept)
  fields[#fields + 1] = ARGV[at + 1]
  kept = kept + 1
end
fields[#fields + 1] = ARGV[1]
fields[#fields + 1] = string.format('%.0f|%.0f', chunks + kept, bytes)
redis.call('HSET', KEYS[2], unpack(fields))
return kept
