-- The active watcher notes what it knows of files, all at once.
-- KEYS: 1 the lease, 2 path -> record, then one sorted set of paths a group, and one of the files to
-- which a part of what is wanted does not apply.
-- ARGV: 1 token, then path, place of its group in KEYS (0: forget the file), "1" for the last set
-- too, record …
-- Answers 0, and changes nothing, to who is not the active watcher (any more).
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for at = 2, #ARGV, 4 do
  local path, place = ARGV[at], tonumber(ARGV[at + 1])
  for n = 3, #KEYS do
    if n == place or (n == #KEYS and ARGV[at + 2] == '1') then
      redis.call('ZADD', KEYS[n], 0, path)
    else
      redis.call('ZREM', KEYS[n], path)
    end
  end
  if place == 0 then
    redis.call('HDEL', KEYS[2], path)
  else
    redis.call('HSET', KEYS[2], path, ARGV[at + 3])
  end
end
return 1
