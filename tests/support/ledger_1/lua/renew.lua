-- A worker is alive. ARGV: 3 task, 4 item, 5 token, 6 where its work stalls ("<file> <words>", ""
-- where it advances). Answers ok | stop | lost | yield.
local t, n = ARGV[3], ARGV[4]
if not is_mine(t, n, ARGV[5]) then return 'lost' end
redis.call('HSET', item_key(t, n), 'stalls_at', ARGV[6])
redis.call('ZADD', P .. 'leases', int(now + LEASE_MS), t .. '/' .. n)
if is_stopping(t) then return 'stop' end
if get(t, 'kind') == 'ingest' and foreground() then return 'yield' end
return 'ok'
