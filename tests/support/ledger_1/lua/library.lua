-- Prefix of every script of the ledger. ARGV[1] = key prefix, ARGV[2] = "" or a test's own time
-- in milliseconds. Redis is one server, never a cluster, so keys are built here.
-- What a Task may be: queued, loading_model, running, stopping, then one of three final states.
local P = ARGV[1]
local LEASE_MS, GRACE_MS, ENQUEUE_AGAIN_MS = 9000, 6000, 2000
local LONGEST_RESERVATION_MS = 5000 -- more than any request waits for the lock
local QUEUES = { 'analysis', 'recluster', 'export' }
local DAY_S, TRIES, KEEP, STAGED_MS = 86400, 3, 1000, 60000
local SHARE = 10000 -- progress is counted in whole ten-thousandths of a file: sums never drift

local now
if ARGV[2] ~= '' then
  now = tonumber(ARGV[2])
else
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end

local function int(n) return string.format('%.0f', n) end
local function task_key(t) return P .. 'task:' .. t end
local function item_key(t, n) return P .. 'item:' .. t .. ':' .. n end
local function queued_key(t) return P .. 'queued:' .. t end
local function ended_files_key(t) return P .. 'ticks:' .. t end
local function failures_key(t) return P .. 'failures:' .. t end
local function exclusive_key(name) return P .. 'exclusive:' .. name end

-- What /metrics tells, since Redis began: raised in the step that makes it true, so never twice.
local function count(what, by) redis.call('HINCRBY', P .. 'totals', what, by or 1) end

local function get(t, field) return redis.call('HGET', task_key(t), field) end
local function is_final(state)
  return state == 'completed' or state == 'cancelled' or state == 'failed'
end
local function is_over(t)
  local state = get(t, 'state')
  return not state or is_final(state)
end
local function is_stopping(t) return get(t, 'stop') == '1' end

-- Every visible change of a Task: next number, then the channel of its watchers.
local function changed(t)
  redis.call('HINCRBY', task_key(t), 'seq', 1)
  redis.call('HSET', task_key(t), 'updated', int(now))
  redis.call('PUBLISH', P .. 'progress', t)
end

-- The lock -------------------------------------------------------------------------------

-- The lock is reserved for the request that asked its holder to stop, until its time is up:
-- {task, until, holder}. The key's name is older than the word.
local RESERVATION = P .. 'heir'
local function reserved_for()
  local r = redis.call('HMGET', RESERVATION, 'task', 'until', 'holder')
  if r[1] and tonumber(r[2]) > now then return r[1], r[3] end
end

local function foreground() return redis.call('GET', P .. 'lock') or reserved_for() end

-- A job of an ingest Item that nobody may do now: the sweep enqueues it when the lock is free.
local function yield_to_foreground(t, n) redis.call('SADD', P .. 'yielded', t .. '/' .. n) end

local function take_lock(t)
  redis.call('SET', P .. 'lock', t)
  redis.call('HDEL', task_key(t), 'waiting')
  redis.call('PUBLISH', P .. 'stops', 'ingest') -- running ingest Items hand back
end

-- A free lock goes to the Task that waits longest, unless it is reserved.
local function pass_lock_on()
  if foreground() then return end
  local t = redis.call('LPOP', P .. 'waiting')
  if not t then return end
  take_lock(t)
  redis.call('SADD', P .. 'unrung', t)
  changed(t)
end

-- Progress -------------------------------------------------------------------------------

-- Raise an Item's progress of one type; it never falls, whoever reports and how often.
local function advance(t, n, kind, files)
  local k = item_key(t, n)
  local units = tonumber(redis.call('HGET', k, 'units:' .. kind) or '0')
  local at = math.min(math.floor(files * SHARE), units * SHARE)
  local before = tonumber(redis.call('HGET', k, 'at:' .. kind) or '0')
  if at <= before then return end
  redis.call('HSET', k, 'at:' .. kind, int(at))
  redis.call('HINCRBY', task_key(t), 'at:' .. kind, int(at - before))
end

-- A file has ended in one type. A later success of a retry replaces a failure, nothing counts twice.
-- `skipped`: what was wanted of it had been done before.
local function file_ended(t, n, index, kind, path, failure, worker, fault, skipped)
  if redis.call('HEXISTS', item_key(t, n), 'units:' .. kind) == 0 then return false end
  local field = n .. ':' .. index .. ':' .. kind
  local entry = redis.call('HGET', ended_files_key(t), field)
  local before = entry and cjson.decode(entry)
  if before and (failure ~= '' or before[2] == '') then return false end
  redis.call('HSET', ended_files_key(t), field, cjson.encode({ worker, failure, failure ~= '' and fault or '' }))
  count('files:' .. kind .. ':' .. (failure ~= '' and 'failed' or skipped and 'skipped' or 'done'))
  if failure ~= '' then
    count('file_errors:' .. fault)
    redis.call('HINCRBY', item_key(t, n), 'bad', 1)
    redis.call('HSET', failures_key(t), field, cjson.encode({ path, failure }))
  elseif before then
    redis.call('HINCRBY', item_key(t, n), 'bad', -1)
    redis.call('HDEL', failures_key(t), field)
  end
  if not before then
    redis.call('HINCRBY', task_key(t), 'ticked:' .. kind, 1)
    advance(t, n, kind, redis.call('HINCRBY', item_key(t, n), 'ticked:' .. kind, 1))
  end
  return true
end

-- End what is left of an Item that ended, so that current reaches total.
local function end_the_rest(t, n, failure, fault)
  local item = redis.call('HMGET', item_key(t, n), 'files', 'worker')
  for index, file in ipairs(cjson.decode(item[1])) do
    for _, kind in ipairs(file[2]) do
      local id = int(index - 1)
      if redis.call('HEXISTS', ended_files_key(t), n .. ':' .. id .. ':' .. kind) == 0 then
        file_ended(t, n, id, kind, file[1], failure, item[2] or '', fault)
      end
    end
  end
end

-- Ends -----------------------------------------------------------------------------------

-- Let the last of `items` Items go, at most a portion; the sweep goes on with the rest.
local function expire_items(t, items)
  local rest = math.max(items - KEEP, 0)
  for n = rest, items - 1 do redis.call('EXPIRE', item_key(t, int(n)), DAY_S) end
  if rest > 0 then
    redis.call('HSET', P .. 'closing', t, int(rest))
  else
    redis.call('HDEL', P .. 'closing', t)
  end
end

local function expire(t, items)
  for _, k in ipairs({ task_key(t), queued_key(t), ended_files_key(t), failures_key(t) }) do
    redis.call('EXPIRE', k, DAY_S)
  end
  expire_items(t, items)
end

local function last_words(t, state, reason)
  if state == 'failed' then return reason end
  if state == 'cancelled' then return 'Stopped. What was finished stays.' end
  if redis.call('EXISTS', failures_key(t)) == 1 then return 'Completed, but some files failed.' end
  -- Every file was done, and what had to follow was not: people were not grouped.
  if tonumber(get(t, 'failed')) > 0 then return 'Completed, but not all of it. ' .. reason end
  return 'Completed.'
end

-- Make a Task final when its last Item has ended: once, with the lock freed in the same step.
local function finish(t)
  local k = task_key(t)
  if is_over(t) or tonumber(get(t, 'open')) > 0 then return end
  local c = redis.call('HMGET', k, 'done', 'cancelled', 'items', 'reason')
  local state = 'failed'
  if tonumber(c[2]) > 0 then state = 'cancelled' elseif tonumber(c[1]) > 0 then state = 'completed' end
  local reason = c[4] or 'There was nothing to do.'
  redis.call('HSET', k, 'state', state, 'finished', int(now),
    'message', last_words(t, state, reason))
  if state == 'failed' then redis.call('HSET', k, 'error', reason) end
  count('tasks:' .. get(t, 'kind') .. ':' .. state)
  redis.call('SREM', P .. 'active', t)
  redis.call('SREM', P .. 'unrung', t)
  redis.call('LREM', P .. 'waiting', 1, t)
  local next_task, holder = reserved_for()
  if state == 'cancelled' and next_task and holder == t then
    redis.call('HSET', k, 'superseded_by', next_task)
  end
  expire(t, tonumber(c[3]))
  if redis.call('GET', P .. 'lock') == t then redis.call('DEL', P .. 'lock') end
  local held = get(t, 'exclusive')
  if held and redis.call('GET', exclusive_key(held)) == t then
    redis.call('DEL', exclusive_key(held))
  end
  changed(t)
  pass_lock_on()
end

-- An Item reaches its end. The caller calls finish when it has ended all it wants to end.
local function end_item(t, n, state, reason, fault)
  local k = item_key(t, n)
  if state == 'done' then end_the_rest(t, n, '', '') end
  if state == 'failed' then end_the_rest(t, n, reason, fault) end
  redis.call('HSET', k, 'state', state, 'reason', reason)
  redis.call('ZREM', P .. 'leases', t .. '/' .. n)
  redis.call('ZREM', queued_key(t), n)
  redis.call('HINCRBY', task_key(t), state, 1)
  redis.call('HINCRBY', task_key(t), 'open', -1)
  if state == 'failed' then redis.call('HSET', task_key(t), 'reason', reason) end
end

local function requeue(t, n)
  redis.call('HSET', item_key(t, n), 'state', 'queued')
  redis.call('ZREM', P .. 'leases', t .. '/' .. n)
  redis.call('ZADD', queued_key(t), n, n)
  redis.call('SADD', P .. 'unrung', t .. '/' .. n)
end

-- Whether this token still holds the Item.
local function is_mine(t, n, token)
  local item = redis.call('HMGET', item_key(t, n), 'state', 'token')
  return item[1] == 'leased' and item[2] == token
end

-- Ask a Task to stop: queued Items end at once, leased ones when their worker hears it.
local function stop(t)
  if is_over(t) then return false end
  if not is_stopping(t) then
    redis.call('HSET', task_key(t), 'stop', '1', 'state', 'stopping', 'message', 'Stopping.')
    -- Counted, not touched one by one: there may be 100,000. Readers know by the flag.
    local queued = redis.call('ZCARD', queued_key(t))
    redis.call('UNLINK', queued_key(t))
    redis.call('HINCRBY', task_key(t), 'cancelled', queued)
    redis.call('HINCRBY', task_key(t), 'open', int(0 - queued))
    redis.call('PUBLISH', P .. 'stops', t)
    if tonumber(get(t, 'open')) > 0 then changed(t) else finish(t) end
  end
  return true
end
