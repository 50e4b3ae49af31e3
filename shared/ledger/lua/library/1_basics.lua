-- Prefix of every script of the ledger. ARGV[1] = key prefix, ARGV[2] = "" or a test's own time
-- in milliseconds. Redis is one server, never a cluster, so keys are built here.
-- The files of this folder come before every script, in order of their names.
-- What a Task may be: queued, loading_model, running, stopping, then one of three final states.
local P = ARGV[1]
local LEASE_MS, GRACE_MS, ENQUEUE_AGAIN_MS = 9000, 6000, 2000
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
local function not_applicable_key(t) return P .. 'not-applicable:' .. t end
local function parked_key(t) return P .. 'parked:' .. t end
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

-- How many Items of a Task workers hold.
local function leases_of(t)
  local found = 0
  for _, m in ipairs(redis.call('ZRANGE', P .. 'leases', 0, -1)) do
    if string.match(m, '(.-)/') == t then found = found + 1 end
  end
  return found
end
