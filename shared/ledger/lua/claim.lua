-- A worker takes an Item. ARGV: 3 task, 4 item, 5 worker, 6 nonce, 7 '1': only one that nobody has
-- tried yet.
-- Answers {token, spec, tries, kind, trace, files that are given up}, nothing where the Item is not to
-- be had, or 'tried'.
local t, n, nonce = ARGV[3], ARGV[4], ARGV[6]
local k = item_key(t, n)

local function lease()
  local item = redis.call('HMGET', k, 'token', 'spec', 'lost', 'errors', 'given_up')
  return { item[1], item[2], int(item[3] + item[4]), get(t, 'kind'), get(t, 'trace') or '',
    item[5] or '' }
end

if is_over(t) then return false end
local item = redis.call('HMGET', k, 'state', 'nonce')
if item[1] == 'leased' and item[2] == nonce then return lease() end
if item[1] ~= 'queued' or is_stopping(t) or get(t, 'waiting') then return false end
if not redis.call('ZSCORE', queued_key(t), n) then return false end -- it is parked
if ARGV[7] == '1' and tonumber(lease()[3]) > 0 then return 'tried' end
redis.call('HDEL', k, 'stalls_at', 'in_share')
if get(t, 'kind') == 'ingest' and is_held_back() then
  if not has_share() then
    yield_to_foreground(t, n)
    return false
  end
  redis.call('HSET', k, 'in_share', '1')
  redis.call('HSETNX', P .. 'ingestion', 'owed', '0')
end

redis.call('SREM', P .. 'yielded', t .. '/' .. n)
redis.call('HSET', k, 'state', 'leased', 'nonce', nonce, 'worker', ARGV[5], 'leased_at', int(now))
redis.call('HINCRBY', k, 'token', 1)
redis.call('ZREM', queued_key(t), n)
redis.call('SREM', P .. 'unrung', t .. '/' .. n)
redis.call('ZADD', P .. 'leases', int(now + LEASE_MS), t .. '/' .. n)
redis.call('HSETNX', task_key(t), 'started', int(now))
if get(t, 'state') == 'queued' then
  redis.call('HSET', task_key(t), 'state', 'running', 'message', '')
  changed(t)
end
return lease()
