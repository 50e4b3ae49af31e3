-- Writes Items of a Task that does not exist yet; nobody can claim them before submit makes it.
-- In portions, so that a Task of any size never holds Redis up.
-- ARGV: 3 task, 4 number of the first Item, then per Item: spec, files as JSON, units as JSON.
local t, first = ARGV[3], tonumber(ARGV[4])
if redis.call('EXISTS', task_key(t)) == 1 then return 'ok' end
redis.call('ZADD', P .. 'staged', int(now), t)
for at = 5, #ARGV, 3 do
  local n = int(first + (at - 5) / 3)
  local item = { 'spec', ARGV[at], 'files', ARGV[at + 1], 'state', 'queued', 'token', '0',
    'lost', '0', 'errors', '0' }
  for _, unit in ipairs(cjson.decode(ARGV[at + 2])) do
    item[#item + 1] = 'units:' .. unit[1]
    item[#item + 1] = int(unit[2])
  end
  redis.call('HSET', item_key(t, n), unpack(item))
  redis.call('ZADD', queued_key(t), n, n)
end
return 'ok'
