-- Every Task that has not ended fails, a portion of Items at a time. ARGV: 3 reason, 4 most Items.
-- Answers how many Tasks are left to be failed by another call.
local reason, left = ARGV[3], tonumber(ARGV[4])

local function fail(t, n)
  end_item(t, n, 'failed', reason, 'worker')
  left = left - 1
end

for _, t in ipairs(redis.call('SMEMBERS', P .. 'active')) do
  for _, m in ipairs(redis.call('ZRANGE', P .. 'leases', 0, -1)) do
    local held, n = string.match(m, '(.-)/(.+)')
    if held == t then fail(t, n) end
  end
  if redis.call('HEXISTS', P .. 'parked', t) == 1 then unpark(t) end
  if left > 0 then
    for _, n in ipairs(redis.call('ZRANGE', queued_key(t), 0, left - 1)) do fail(t, n) end
  end
  if redis.call('EXISTS', queued_key(t)) == 0 then
    -- What its Items came to decides nothing: the Task as a whole has failed.
    redis.call('HSET', task_key(t), 'open', 0, 'done', 0, 'cancelled', 0, 'reason', reason)
    finish(t)
  end
end
return redis.call('SCARD', P .. 'active')
