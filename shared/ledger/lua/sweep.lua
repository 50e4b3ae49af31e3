-- Takes Items from dead workers and names the jobs to enqueue again.
-- ARGV: 3 prefix of RQ's queue keys, 4 most jobs a queue, 5 ingestion's share of the lease time while
-- it is held back, 6 … workers that are known to have ended.
-- Answers task, item, queue, front, …
-- Time is Redis's own clock: where it was set back, everything that was due later is due again.
local FREE_MS = 10000
local last = tonumber(redis.call('GET', P .. 'swept') or '0')
redis.call('SET', P .. 'swept', int(now))
if now < last then redis.call('DEL', P .. 'rung', P .. 'ingestion') end
redis.call('HSET', P .. 'ingestion', 'share', ARGV[5])
most_jobs = tonumber(ARGV[4])

for _, raw in ipairs(redis.call('HVALS', P .. 'reserved')) do
  local r = cjson.decode(raw)
  if r.ends <= now or r.ends > now + LONGEST_RESERVATION_MS then
    redis.call('HDEL', P .. 'reserved', r.owner)
  end
end
-- Give up the file at whose one place a worker has ended for the second time by its stall timer: it
-- would stall there a third time. Answers 'file', or 'item' where none is left to be done.
local function give_up(t, n)
  local k = item_key(t, n)
  local item = redis.call('HMGET', k, 'stalls_at', 'lost_at', 'files', 'given_up', 'worker')
  local place = item[1] or ''
  if place == '' then return end
  redis.call('HSET', k, 'lost_at', place)
  if item[2] ~= place then return end
  local index, words = string.match(place, '^(%d+) (.*)$')
  local files = cjson.decode(item[3])
  local file = files[tonumber(index) + 1]
  if not file then return end
  local reason = 'Its worker stalled twice at the same place: ' .. words .. '.'
  for _, kind in ipairs(file[2]) do
    file_ended(t, n, index, kind, file[1], reason, item[5] or '', 'unsupported')
  end
  local given_up = (item[4] and item[4] .. ' ' or '') .. index
  redis.call('HSET', k, 'given_up', given_up, 'lost', '0')
  local _, count = string.gsub(given_up, '%d+', '')
  if count < #files then return requeue(t, n) or 'file' end
  end_item(t, n, 'failed', reason, 'unsupported')
  return 'item'
end

local ended = {}
for at = 6, #ARGV do ended[ARGV[at]] = true end
local no_clock = now < last or last == 0
local was_away = now - last > GRACE_MS -- Redis was, or the machine slept: nobody could renew
local changed_leases = no_clock or was_away or #ARGV > 5
for _, m in ipairs(changed_leases and redis.call('ZRANGE', P .. 'leases', 0, -1) or {}) do
  local k = item_key(string.match(m, '(.-)/(.+)'))
  local worker = redis.call('HGET', k, 'worker')
  if worker and ended[worker] then
    redis.call('ZADD', P .. 'leases', int(now), m)
  elseif no_clock then
    redis.call('ZADD', P .. 'leases', int(now + LEASE_MS), m)
  elseif was_away then
    redis.call('ZINCRBY', P .. 'leases', int(now - last), m)
    if redis.call('HEXISTS', k, 'leased_at') == 1 then
      redis.call('HINCRBY', k, 'leased_at', int(now - last)) -- nobody worked meanwhile
    end
  end
end
for _, m in ipairs(redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', int(now))) do
  local t, n = string.match(m, '(.-)/(.+)')
  local lost = redis.call('HINCRBY', item_key(t, n), 'lost', 1)
  count('leases_lost')
  if is_stopping(t) then
    end_item(t, n, 'cancelled', '')
  elseif give_up(t, n) then -- it has ended, or waits again without that file
  elseif lost >= TRIES then
    end_item(t, n, 'failed', 'Its worker died ' .. TRIES .. ' times while working on it.', 'worker')
  else
    requeue(t, n)
  end
  finish(t)
  park_if_stuck(t)
end
take_turns()

-- Items of requests that were refused or whose client died, a portion at a time.
for _, t in ipairs(redis.call('ZRANGEBYSCORE', P .. 'staged', '-inf', int(now - STAGED_MS))) do
  for _, n in ipairs(redis.call('ZRANGE', queued_key(t), 0, KEEP - 1)) do
    redis.call('DEL', item_key(t, n))
    redis.call('ZREM', queued_key(t), n)
  end
  if redis.call('EXISTS', queued_key(t)) == 0 then redis.call('ZREM', P .. 'staged', t) end
end

local closing = redis.call('HGETALL', P .. 'closing')
for at = 1, #closing, 2 do expire_items(closing[at], tonumber(closing[at + 1])) end

-- Of ingestion: one Item where it is owed its share, else all that it had to leave. Its own jobs are
-- behind those of analyses, which always come first: no worker would ever come to them.
local yielded = P .. 'yielded'
if is_held_back() then
  local t, n = next_of_ingestion()
  if not t then
    if ingestion('owed') > 0 then redis.call('HDEL', P .. 'ingestion', 'owed') end -- nobody saves up
  else
    redis.call('HSETNX', P .. 'ingestion', 'since', int(now))
    if has_share() and not is_named(t, n) then name_job(t, n, get(t, 'queue'), true) end
  end
elseif redis.call('EXISTS', yielded) == 1 then
  redis.call('SUNIONSTORE', P .. 'unrung', P .. 'unrung', yielded)
  redis.call('DEL', yielded)
end
if foreground() then
  redis.call('HDEL', P .. 'ingestion', 'free_since')
else -- between two analyses nothing is made good
  redis.call('HSETNX', P .. 'ingestion', 'free_since', int(now))
  if now - ingestion('free_since') >= FREE_MS then
    redis.call('HDEL', P .. 'ingestion', 'since', 'owed', 'named')
  end
end

-- Handed back, retried, taken from the dead, or started after waiting.
local unqueued = redis.call('SMEMBERS', P .. 'unrung')
redis.call('DEL', P .. 'unrung')
-- In order: all Tasks have ids of one length, so a longer member is a later Item.
table.sort(unqueued, function(a, b) if #a ~= #b then return #a < #b end return a < b end)
for _, m in ipairs(unqueued) do
  local t, n = string.match(m, '(.-)/(.+)')
  if t then enqueue(t, n) else enqueue_queued(m) end
end

-- Jobs of Tasks that were stopped while no worker listened: nothing is queued that they could mean.
local has_queued = {}
for _, t in ipairs(redis.call('SMEMBERS', P .. 'active')) do
  if redis.call('EXISTS', queued_key(t)) == 1 then has_queued[get(t, 'queue')] = true end
end
for _, queue in ipairs(QUEUES) do
  if not has_queued[queue] then redis.call('UNLINK', ARGV[3] .. queue) end
end

-- Lost jobs: an empty RQ list while Items are queued. Not sooner than 2 s after the last time,
-- because every API process and every worker sweeps.
if #jobs == 0 and now - tonumber(redis.call('GET', P .. 'rung') or '0') >= ENQUEUE_AGAIN_MS then
  local holder = redis.call('GET', P .. 'lock')
  local tasks = redis.call('SMEMBERS', P .. 'active')
  table.sort(tasks, function(a, b) return (a == holder and 0 or 1) < (b == holder and 0 or 1) end)
  for _, t in ipairs(tasks) do
    local queue = get(t, 'queue')
    local yields = get(t, 'kind') == 'ingest' and is_held_back()
    if not yields and redis.call('LLEN', ARGV[3] .. queue) == 0 then enqueue_queued(t) end
  end
end
if #jobs > 0 then redis.call('SET', P .. 'rung', int(now)) end
return jobs
