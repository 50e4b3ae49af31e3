-- Footage of an Item was worked through. ARGV: 3 task, 4 item, 5 token, 6 type, 7 milliseconds of
-- the Item so far. Only what is more than before counts, whoever did it and how often it is said.
-- Answers 1, or 0 where the lease is lost.
local t, n, kind, so_far = ARGV[3], ARGV[4], ARGV[6], tonumber(ARGV[7])
if not is_mine(t, n, ARGV[5]) then return 0 end
local field = 'footage_ms:' .. kind
local before = tonumber(redis.call('HGET', item_key(t, n), field) or '0')
if so_far > before then
  redis.call('HSET', item_key(t, n), field, int(so_far))
  count(field, int(so_far - before))
  local owner = get(t, 'owner')
  if owner and owner ~= '' then
    redis.call('HINCRBY', P .. 'key-use:' .. owner, 'footage_ms', int(so_far - before))
  end
end
return 1
