-- Whether a replacing request may be entered. ARGV: 3 task, 4 its owner, 5 the Task it asked to stop,
-- 6 "1" where it will not wait any longer: its place is given up.
-- Answers free (what it waited for has ended) | wait | taken.
local t, owner, holder = ARGV[3], ARGV[4], ARGV[5]
local kept = reserved_for(owner)
if kept and kept ~= t then return 'taken' end
if redis.call('GET', P .. 'lock') ~= holder then return 'free' end
if ARGV[6] ~= '1' then return 'wait' end
redis.call('HDEL', P .. 'reserved', owner)
return 'taken'
