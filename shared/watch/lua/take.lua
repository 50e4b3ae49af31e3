-- Become, or stay, the one holder of a lease. KEYS 1: the lease. ARGV: 1 token, 2 ms to live.
-- Answers 1 to the holder, 0 to all others.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
