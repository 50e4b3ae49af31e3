-- The holder of a lease goes on. KEYS 1: the lease. ARGV: 1 token, 2 ms to live.
-- Answers 0 where the lease is gone or another's: what is in Redis may be other than it was.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
