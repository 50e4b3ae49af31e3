-- A waiting analysis comes first. ARGV: 3 task; 4 "1": of all owners, "": of its own; 5 what people call
-- who asks for it, where that is not its owner, else "". Answers 1, 0 where it does not wait, or nothing
-- for an unknown id.
local t = ARGV[3]
if redis.call('EXISTS', task_key(t)) == 0 then return false end
if is_over(t) or is_stopping(t) or get(t, 'parked') or not get(t, 'waiting')
  or redis.call('GET', P .. 'lock') == t then
  return 0
end
local owner = owner_of(t)
redis.call('LREM', line_key(owner), 1, t)
redis.call('LPUSH', line_key(owner), t)
if ARGV[4] == '1' then redis.call('HSET', P .. 'turn', 'first', t) end
if ARGV[5] ~= '' then redis.call('HSET', task_key(t), 'put_first_by', ARGV[5]) end
for _, each in ipairs(redis.call('ZRANGE', P .. 'owners', 0, -1)) do
  for _, waiting in ipairs(waiting_of(each)) do changed(waiting) end
end
return 1
