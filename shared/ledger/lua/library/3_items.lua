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

-- Count a file that has failed, or does so no more (`by`), once whatever of it fails.
local function count_failed(t, n, index, kind, by)
  for _, other in ipairs({ 'video', 'audio', 'faces' }) do
    local field = n .. ':' .. index .. ':' .. other
    if other ~= kind and redis.call('HEXISTS', failures_key(t), field) == 1 then return end
  end
  if redis.call('HEXISTS', task_key(t), 'failed_files') == 0 then -- a former version began it
    redis.call('HSET', task_key(t), 'failed_files', redis.call('HLEN', failures_key(t)))
  end
  redis.call('HINCRBY', task_key(t), 'failed_files', by)
end

-- What an end is worth: a failure, a file that has nothing of what was asked for, a success.
local function worth(failure, fault)
  if failure == '' then return 2 end
  return fault == 'nothing' and 1 or 0
end

-- A file has ended in one type. A later, better end of a retry replaces it, nothing counts twice.
-- `skipped`: what was wanted of it had been done before.
local function file_ended(t, n, index, kind, path, failure, worker, fault, skipped)
  if redis.call('HEXISTS', item_key(t, n), 'units:' .. kind) == 0 then return false end
  local field = n .. ':' .. index .. ':' .. kind
  local entry = redis.call('HGET', ended_files_key(t), field)
  local before, ends = entry and cjson.decode(entry), worth(failure, fault)
  if before and ends <= worth(before[2], before[3]) then return false end
  redis.call('HSET', ended_files_key(t), field, cjson.encode({ worker, failure, failure ~= '' and fault or '' }))
  local outcome = ends == 0 and 'failed' or (ends == 1 or skipped) and 'skipped' or 'done'
  count('files:' .. kind .. ':' .. outcome)
  if redis.call('HEXISTS', failures_key(t), field) == 1 then
    redis.call('HINCRBY', item_key(t, n), 'bad', -1)
    count_failed(t, n, index, kind, -1)
    redis.call('HDEL', failures_key(t), field)
  end
  redis.call('HDEL', not_applicable_key(t), field)
  if ends == 0 then
    count('file_errors:' .. fault)
    redis.call('HINCRBY', item_key(t, n), 'bad', 1)
    count_failed(t, n, index, kind, 1)
    redis.call('HSET', failures_key(t), field, cjson.encode({ path, failure }))
    notify('file.failed', 'file.failed:' .. t .. ':' .. field,
      { task_id = t, media_path = path, type = kind, error = failure }, get(t, 'folders'))
  elseif ends == 1 then
    redis.call('HSET', not_applicable_key(t), field, cjson.encode({ path, failure }))
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
  local keys = { task_key(t), queued_key(t), parked_key(t), ended_files_key(t), failures_key(t),
    not_applicable_key(t) }
  for _, k in ipairs(keys) do
    redis.call('EXPIRE', k, DAY_S)
  end
  expire_items(t, items)
end

local function owner_label(t)
  local sender = get(t, 'sender')
  return sender and cjson.decode(sender).label or ''
end

local function last_words(t, state, reason)
  if state == 'failed' then return reason end
  if state == 'cancelled' then
    local by = get(t, 'stopped_by')
    return 'Stopped' .. (by and (' by ' .. by) or '') .. '. What was finished stays.'
  end
  if redis.call('EXISTS', failures_key(t)) == 1 then return 'Completed, but some files failed.' end
  -- Every file was done, and what had to follow was not: people were not grouped.
  if tonumber(get(t, 'failed')) > 0 then return 'Completed, but not all of it. ' .. reason end
  return 'Completed.'
end

-- For lists of what has ended: the newest of the last day, those in which something failed also apart.
local function note_end(t, state)
  local failed = state == 'failed' or redis.call('EXISTS', failures_key(t)) == 1
  for _, name in ipairs(failed and { 'ended', 'ended-failed' } or { 'ended' }) do
    redis.call('ZADD', P .. name, int(now), t)
    redis.call('ZREMRANGEBYRANK', P .. name, 0, -KEEP - 1)
    redis.call('ZREMRANGEBYSCORE', P .. name, '-inf', int(now - DAY_S * 1000))
  end
end

-- Make a Task final when its last Item has ended: once, with the lock passed on in the same step.
-- Answers as pass_lock_on.
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
  note_end(t, state)
  redis.call('SREM', P .. 'unrung', t)
  leave_line(t)
  redis.call('HDEL', P .. 'parked', t)
  for _, r in ipairs(state == 'cancelled' and reservations() or {}) do
    if r.holder == t then redis.call('HSET', k, 'superseded_by', r.task) end
  end
  expire(t, tonumber(c[3]))
  if redis.call('GET', P .. 'lock') == t then redis.call('DEL', P .. 'lock') end
  local held = get(t, 'exclusive')
  if held and redis.call('GET', exclusive_key(held)) == t then
    redis.call('DEL', exclusive_key(held))
  end
  changed(t)
  local is_ingest = get(t, 'kind') == 'ingest'
  local event = is_ingest and 'ingest.finished' or 'task.ended'
  notify(event, event .. ':' .. t, {
    task_id = t, kind = get(t, 'kind'), status = state, message = get(t, 'message'),
    media_path = get(t, 'media_path') or '', owner = owner_label(t),
    failed_files = redis.call('HLEN', failures_key(t)),
    not_applicable = redis.call('HLEN', not_applicable_key(t)),
  }, get(t, 'folders'))
  return pass_lock_on()
end

-- An Item was worked on: its Task's turn goes on, and ingestion that is free has caught up.
local function note_work(t, n)
  if redis.call('GET', P .. 'lock') == t then redis.call('HSET', P .. 'turn', 'worked', int(now)) end
  if get(t, 'kind') == 'ingest' and redis.call('HEXISTS', item_key(t, n), 'in_share') == 0 then
    redis.call('HDEL', P .. 'ingestion', 'since', 'owed', 'named')
  end
end

-- An Item reaches its end. The caller calls finish when it has ended all it wants to end.
local function end_item(t, n, state, reason, fault)
  local k = item_key(t, n)
  if state == 'done' then end_the_rest(t, n, '', '') end
  if state == 'failed' then end_the_rest(t, n, reason, fault) end
  charge(t, n)
  if state ~= 'cancelled' then note_work(t, n) end
  redis.call('HSET', k, 'state', state, 'reason', reason)
  redis.call('ZREM', P .. 'leases', t .. '/' .. n)
  redis.call('ZREM', queued_key(t), n)
  redis.call('ZREM', parked_key(t), n)
  redis.call('HINCRBY', task_key(t), state, 1)
  redis.call('HINCRBY', task_key(t), 'open', -1)
  if state == 'failed' then redis.call('HSET', task_key(t), 'reason', reason) end
end

-- `looked_at`: its worker could not do it.
local function requeue(t, n, looked_at)
  charge(t, n, looked_at and LEAST_REFUSED_MS)
  if not looked_at then note_work(t, n) end
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

-- Parking --------------------------------------------------------------------------------

-- An Item that no machine can do is parked, apart from those that are queued: `parked` holds the
-- reasons of each Task, [{code, key, message, queue, host}]. A Task of which nothing else is left is parked with
-- them: it holds no lock and has no place in line until a worker says that it can go on.

-- The last reason for which an Item was handed back: why the Task waits while nobody works on it.
local function hold_up(t, reason)
  redis.call('HSET', task_key(t), 'held_up', cjson.encode(reason))
  if leases_of(t) == 0 then redis.call('HSET', task_key(t), 'state', 'queued') end
  changed(t)
end

-- Note why a machine cannot do the Item. Answers the reasons of all of them, by machine, where none of
-- `hosts` can.
local function refused_by_all(t, n, reason, hosts)
  local k = item_key(t, n)
  local round = get(t, 'unparked') or '0'
  local known = cjson.decode(redis.call('HGET', k, 'refused') or '{"round":""}')
  if known.round ~= round then known = { round = round, hosts = {} } end
  known.hosts[reason.host] = reason
  redis.call('HSET', k, 'refused', cjson.encode(known))
  for _, each in ipairs(hosts) do
    if not known.hosts[each] then return end
  end
  return known.hosts
end

local function park_item(t, n, by_host)
  redis.call('ZREM', queued_key(t), n)
  redis.call('SREM', P .. 'unrung', t .. '/' .. n)
  redis.call('ZADD', parked_key(t), n, n)
  local reasons, known = cjson.decode(redis.call('HGET', P .. 'parked', t) or '[]'), {}
  for _, each in ipairs(reasons) do known[each.host .. ' ' .. each.code .. each.key] = true end
  for host, reason in pairs(by_host) do
    if not known[host .. ' ' .. reason.code .. reason.key] then reasons[#reasons + 1] = reason end
  end
  redis.call('HSET', P .. 'parked', t, cjson.encode(reasons))
end

local function park_task(t)
  redis.call('HSET', task_key(t), 'waiting', '1', 'parked', '1', 'state', 'queued')
  redis.call('HSETNX', task_key(t), 'waits_since', int(now))
  leave_line(t)
  if redis.call('GET', P .. 'lock') == t then redis.call('DEL', P .. 'lock') end
  changed(t)
end

local function park_if_stuck(t)
  if redis.call('EXISTS', parked_key(t)) == 1 and redis.call('EXISTS', queued_key(t)) == 0
    and not is_over(t) and not is_stopping(t) and not get(t, 'parked') and leases_of(t) == 0 then
    park_task(t)
  end
end

-- What was parked of a Task is queued again.
local function gather_parked(t)
  redis.call('HDEL', P .. 'parked', t)
  redis.call('HINCRBY', task_key(t), 'unparked', 1)
  redis.call('ZUNIONSTORE', queued_key(t), 2, queued_key(t), parked_key(t), 'AGGREGATE', 'MIN')
  redis.call('DEL', parked_key(t))
end

local function unpark(t)
  gather_parked(t)
  redis.call('SADD', P .. 'unrung', t)
  if redis.call('HDEL', task_key(t), 'parked') == 0 then return end
  if get(t, 'kind') == 'analyze' then
    stand_in_order(t)
  else
    redis.call('HDEL', task_key(t), 'waiting')
  end
  changed(t)
end

-- Jobs -----------------------------------------------------------------------------------

local jobs, room = {}, {} -- named for the caller to enqueue: task, item, queue, front, …
local most_jobs = KEEP

local function name_job(t, n, queue, in_front)
  room[queue] = room[queue] or most_jobs
  if room[queue] <= 0 then return redis.call('SADD', P .. 'unrung', t .. '/' .. n) end
  room[queue] = room[queue] - 1
  for _, word in ipairs({ t, n, queue, in_front and '1' or '0' }) do jobs[#jobs + 1] = word end
end

local function enqueue(t, n)
  local task = redis.call('HMGET', task_key(t), 'queue', 'kind', 'waiting')
  if task[3] or not redis.call('ZSCORE', queued_key(t), n) then return end
  if task[2] == 'ingest' and is_held_back() then return yield_to_foreground(t, n) end
  name_job(t, n, task[1], task[2] == 'analyze')
end

local function enqueue_queued(t)
  if get(t, 'waiting') then return end
  for _, n in ipairs(redis.call('ZRANGE', queued_key(t), 0, most_jobs - 1)) do enqueue(t, n) end
end

-- While owners take turns a Task has few jobs, and one more for each that ends: what is not taken in a
-- turn is in the way of the next ones.
local JOBS_OF_TURN = 16

local function jobs_of(t)
  if t and not get(t, 'waiting') then
    redis.call('SREM', P .. 'unrung', t)
    redis.call('HSET', P .. 'turn', 'has_few', t)
    for _, n in ipairs(redis.call('ZRANGE', queued_key(t), 0, JOBS_OF_TURN - 1)) do enqueue(t, n) end
  end
  return jobs
end

local function one_more_job(t)
  if redis.call('GET', P .. 'lock') ~= t or is_passing(t) then return end
  local n = redis.call('ZRANGE', queued_key(t), JOBS_OF_TURN - 1, JOBS_OF_TURN - 1)[1]
  if n and redis.call('HGET', P .. 'turn', 'has_few') == t then enqueue(t, n) end
end

-- Stopping -------------------------------------------------------------------------------

-- What no worker holds of a Task that stops ends. Answers as pass_lock_on.
local function cancel_queued(t)
  gather_parked(t)
  -- Counted, not touched one by one: there may be 100,000. Readers know by the flag.
  local queued = redis.call('ZCARD', queued_key(t))
  redis.call('UNLINK', queued_key(t))
  redis.call('HINCRBY', task_key(t), 'cancelled', queued)
  redis.call('HINCRBY', task_key(t), 'open', int(0 - queued))
  if tonumber(get(t, 'open')) > 0 then return changed(t) end
  return finish(t)
end

-- Ask a Task to stop: queued Items end at once, leased ones when their worker hears it.
-- Answers whether it was open, and as pass_lock_on.
-- `by`: what people call who stopped it, where it was not its owner; nil otherwise.
local function stop(t, by)
  if is_over(t) then return false end
  local passed_to
  if not is_stopping(t) then
    redis.call('HSET', task_key(t), 'stop', '1', 'state', 'stopping', 'message', 'Stopping.')
    if by then redis.call('HSET', task_key(t), 'stopped_by', by) end
    redis.call('PUBLISH', P .. 'stops', t)
    passed_to = cancel_queued(t)
  end
  return true, passed_to
end
