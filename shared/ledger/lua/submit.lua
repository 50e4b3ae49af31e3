-- Makes a Task of the Items that stage.lua has written: visible, claimable and with its lock or its
-- place in line in one step.
-- ARGV: 3 task, 4 kind, 5 queue, 6 on_busy ("reserved": only with the place that an earlier "wait"
-- kept), 7 wait in ms, 8 message, 9 units as JSON [[type, n]], 10 number of Items, 11 what only one
-- open Task may hold ("" nothing), 12 token of the watcher that submits it ("" nobody's), 13 the
-- trace that it belongs to ("" none), 14 its owner, 15 the on_busy that was asked for, 16 who sent
-- it, as JSON, 17 the folders that hold its files, as JSON.
-- Answers {started | queued | wait <holder> (asked to stop) | busy <holder> | incomplete |
-- stood_down (that watcher is active no more), holder or "", jobs of another Task to enqueue …}.
local t, kind, on_busy, exclusive, leader = ARGV[3], ARGV[4], ARGV[6], ARGV[11], ARGV[12]
local owner, asked = ARGV[14], ARGV[15]
local replaces = asked == 'replace' or asked == 'replace-any'

local function sender_if_another(t)
  if is_own(t, owner) then return nil end
  local label = cjson.decode(ARGV[16]).label or ''
  return label ~= '' and label or owner
end

local function place()
  if exclusive ~= '' then
    local holder = redis.call('GET', exclusive_key(exclusive))
    if holder and not is_over(holder) and not get(holder, 'parked') then return 'busy', holder end
    if holder and not is_over(holder) then
      redis.call('HSET', task_key(holder), 'superseded_by', t)
      stop(holder, sender_if_another(holder))
    end
  end
  if kind ~= 'analyze' then return 'started' end
  take_turns() -- a reservation whose request never came back blocks nobody
  local holder = redis.call('GET', P .. 'lock')
  local kept, asked_to_stop = reserved_for(owner)
  if on_busy == 'reserved' then
    if kept and kept ~= t then return 'busy', holder or kept end
    if not kept and holder and is_own(holder, owner) then return 'busy', holder end
    return 'queued'
  end
  if on_busy == 'refuse' and foreground() then return 'busy', foreground() end
  if not replaces then return 'queued' end
  if kept == t then -- its first answer was lost
    return holder == asked_to_stop and 'wait' or 'queued', holder
  end
  if kept then return 'busy', holder or kept end
  if not holder or not (is_own(holder, owner) or on_busy == 'replace-any') then return 'queued' end
  reserve(owner, t, holder, tonumber(ARGV[7]), on_busy == 'replace-any')
  stop(holder, sender_if_another(holder))
  if redis.call('GET', P .. 'lock') == holder then return 'wait', holder end
  return 'queued'
end

local function create()
  local k = task_key(t)
  local items = redis.call('ZCARD', queued_key(t))
  redis.call('HSET', k, 'kind', kind, 'queue', ARGV[5], 'state', 'queued', 'message', ARGV[8],
    'items', items, 'open', items, 'done', 0, 'failed', 0, 'cancelled', 0, 'seq', 0,
    'created', int(now), 'types', ARGV[9], 'owner', owner, 'on_busy', asked, 'sender', ARGV[16],
    'folders', ARGV[17])
  if ARGV[13] ~= '' then redis.call('HSET', k, 'trace', ARGV[13]) end
  if exclusive ~= '' then
    redis.call('HSET', k, 'exclusive', exclusive)
    redis.call('SET', exclusive_key(exclusive), t)
  end
  for _, unit in ipairs(cjson.decode(ARGV[9])) do
    redis.call('HSET', k, 'units:' .. unit[1], int(unit[2]))
  end
  redis.call('ZREM', P .. 'staged', t)
  redis.call('SADD', P .. 'active', t)
  redis.call('LPUSH', P .. 'recent', t)
  redis.call('LTRIM', P .. 'recent', 0, KEEP - 1)
end

-- What its owner began, and what waits to replace others, gives way; what was to wait stays.
local function replace_own()
  for _, each in ipairs(waiting_of(owner)) do
    local known = redis.call('HMGET', task_key(each), 'started', 'parked', 'on_busy')
    local has_begun = known[1] and not known[2] -- of one that is parked nothing may have begun
    local gives_way = has_begun or (known[3] or 'queue') ~= 'queue'
    if gives_way and not is_over(each) and leases_of(each) == 0 then
      redis.call('HSET', task_key(each), 'superseded_by', t)
      stop(each)
    end
  end
end

if redis.call('EXISTS', task_key(t)) == 1 then
  return { get(t, 'waiting') and 'queued' or 'started', '' }
end
if leader ~= '' and redis.call('GET', P .. 'watch:leader') ~= leader then
  return { 'stood_down', '' }
end
-- Redis came up empty, or the request slept, between its portions: nothing is accepted or stopped.
if redis.call('ZCARD', queued_key(t)) ~= tonumber(ARGV[10]) then return { 'incomplete', '' } end
local answer, holder = place()
if answer == 'wait' or answer == 'busy' then return { answer, holder } end
create()
if kind == 'analyze' then
  if replaces then replace_own() end
  local was_kept = reserved_for(owner) == t
  if was_kept then redis.call('HDEL', P .. 'reserved', owner) end
  if was_kept and asked == 'replace-any' and not redis.call('GET', P .. 'lock') then
    take_lock(t)
  else
    stand_in_line(t, was_kept)
  end
  take_turns()
  redis.call('SREM', P .. 'unrung', t) -- its client enqueues it
  local now_running = redis.call('GET', P .. 'lock')
  if redis.call('SISMEMBER', P .. 'unrung', now_running or '') == 1 then jobs_of(now_running) end
end
changed(t)
finish(t) -- at once, if it has no Items
return { get(t, 'waiting') and 'queued' or 'started', '', unpack(jobs) }
