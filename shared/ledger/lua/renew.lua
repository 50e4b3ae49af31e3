-- A worker is alive. ARGV: 3 task, 4 item, 5 token, 6 where its work is ("<file> <words>", "" no
-- place in a file), 7 for how many ms. Answers ok | stop | lost | yield.
local t, n = ARGV[3], ARGV[4]
if not is_mine(t, n, ARGV[5]) then return 'lost' end
if ARGV[6] then redis.call('HSET', item_key(t, n), 'place', ARGV[6], 'stayed', ARGV[7]) end
redis.call('ZADD', P .. 'leases', int(now + LEASE_MS), t .. '/' .. n)
if is_stopping(t) then return 'stop' end
if get(t, 'kind') == 'ingest' and foreground() then return 'yield' end
return 'ok'
