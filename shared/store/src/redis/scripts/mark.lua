#!lua flags=allow-oom
-- Writes something, so that a WAIT after it on the same connection covers all that was written before, by whatever
-- connection: a server waits for what this connection has written, and a commit that is sent again writes nothing.
-- KEYS  1 mark
-- ARGV  none
-- Answers 1.
local time = redis.call('TIME')
redis.call('SET', KEYS[1], time[1])
return 1
