-- The active watcher notes what it knows of a folder. KEYS: 1 the lease, 2 folder -> facts.
-- ARGV: 1 token, 2 folder, 3 facts, "" to forget. Answers 0 to who is not the active watcher.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[2], ARGV[2])
else
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
end
return 1
