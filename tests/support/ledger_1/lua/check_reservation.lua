-- Whether a replacing request may have the lock. ARGV: 3 task, 4 the holder it asked to stop.
-- Answers free (the lock is reserved for it) | wait | taken.
local holder = redis.call('GET', P .. 'lock')
if reserved_for() ~= ARGV[3] then return 'taken' end
if not holder then return 'free' end
return holder == ARGV[4] and 'wait' or 'taken'
