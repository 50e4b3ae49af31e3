-- Makes a Task of the Items that stage.lua has written: visible, claimable and with its lock in
-- one step.
-- ARGV: 3 task, 4 kind, 5 queue, 6 on_busy ("reserved": only with the reservation that
-- an earlier "wait" made), 7 wait in ms, 8 message, 9 units as JSON [[type, n]],
-- 10 number of Items, 11 what only one open Task may hold ("" nothing), 12 token of the watcher
-- that submits it ("" nobody's), 13 the trace that it belongs to ("" none).
-- Answers started | queued | wait <holder> (asked to stop) | busy <holder> | incomplete |
-- stood_down (that watcher is active no more).
local t, kind, on_busy, exclusive, leader = ARGV[3], ARGV[4], ARGV[6], ARGV[11], ARGV[12]

local function place()
  if exclusive ~= '' then
    local holder = redis.call('GET', exclusive_key(exclusive))
    if holder and not is_over(holder) then return 'busy', holder end
  end
  if kind ~= 'analyze' then return 'started' end
  pass_lock_on() -- a reservation whose request never came back blocks nobody
  local holder = redis.call('GET', P .. 'lock')
  local reserved = reserved_for()
  if on_busy == 'reserved' then
    if reserved == t and not holder then return 'started' end
    return 'busy', holder or reserved or ''
  end
  if not holder and not reserved then return 'started' end
  if on_busy == 'queue' then return 'queued' end
  if on_busy == 'refuse' or reserved then return 'busy', holder or reserved end
  redis.call('HSET', RESERVATION, 'task', t, 'until', int(now + tonumber(ARGV[7])), 'holder', holder)
  stop(holder)
  if redis.call('GET', P .. 'lock') then return 'wait', holder end
  return 'started'
end

local function create(waiting)
  local k = task_key(t)
  local items = redis.call('ZCARD', queued_key(t))
  redis.call('HSET', k, 'kind', kind, 'queue', ARGV[5], 'state', 'queued', 'message', ARGV[8],
    'items', items, 'open', items, 'done', 0, 'failed', 0, 'cancelled', 0, 'seq', 0,
    'created', int(now), 'types', ARGV[9])
  if waiting then redis.call('HSET', k, 'waiting', '1') end
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
create(answer == 'queued')
if kind == 'analyze' then
  if answer == 'started' then
    redis.call('DEL', RESERVATION)
    take_lock(t)
  else
    redis.call('RPUSH', P .. 'waiting', t)
  end
end
changed(t)
finish(t) -- at once, if it has no Items
return { answer, '' }
