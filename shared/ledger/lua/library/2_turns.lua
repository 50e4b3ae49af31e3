-- Whose turn it is. One analysis holds the lock; others wait in the line of their owner.
--
-- Deficit round robin by lease time (Shreedhar and Varghese 1995), with the deficits counted from the
-- other side: `served` is the lease time that an owner has had, charged when a lease ends, and who has
-- had least comes next. Somebody new has had as much as the one who has had least (the virtual time of
-- start-time fair queueing, Goyal 1996): idling earns nothing. A turn lasts TURN_MS of lease time while
-- others wait; one that began while nobody did ends at once, so that who comes waits for the Items in
-- hand. Redis key `turn`: {holder, began: served when it began, alone: "1" while nobody else waited, worked:
-- when an Item of it was last worked on, least: the virtual time, first: the Task that comes next}.
local TURN_MS = 10000
local IDLE_MS = 5000 -- a holder of which nobody works on anything for so long makes way
local LEAST_REFUSED_MS = 100 -- charged for an Item that a worker only looked at
local LONGEST_RESERVATION_MS = 5000 -- more than any request waits for the lock

local function owner_of(t) return get(t, 'owner') or '' end
-- Tasks of earlier versions are nobody's, and so everybody's own.
local function is_own(t, owner) return owner_of(t) == owner or owner_of(t) == '' end
local function line_key(owner) return P .. 'line:' .. owner end
local function served(owner) return tonumber(redis.call('HGET', P .. 'served', owner) or '0') end

-- A place in its owner's line is kept for the request that asked a Task to stop, until its time is
-- up: {owner, task, holder: the Task that it asked, first: before all other owners}.
local function reservations()
  local found = {}
  for _, raw in ipairs(redis.call('HVALS', P .. 'reserved')) do
    local r = cjson.decode(raw)
    if r.ends > now then found[#found + 1] = r end
  end
  return found
end

local function reserve(owner, t, holder, wait_ms, first)
  redis.call('HSET', P .. 'reserved', owner, cjson.encode({
    owner = owner, task = t, holder = holder, ends = now + wait_ms, first = first }))
end

-- The request that has an owner's reservation, and the Task that it asked to stop.
local function reserved_for(owner)
  for _, r in ipairs(reservations()) do
    if r.owner == owner then return r.task, r.holder end
  end
end

local function foreground()
  local holder = redis.call('GET', P .. 'lock')
  if holder then return holder end
  local first = reservations()[1]
  return first and first.task
end

-- Ingestion has no turns. It is held back while an analysis has the lock; after HELD_BACK_MS it is
-- owed a share of the lease time, in Items that nobody asks to yield.
local HELD_BACK_MS, LEAST_OF_ITEM_MS, RAREST_NAMING_MS = 60000, 250, 30000
local MOST_OWED_MS = 300000
local function ingestion(field) return tonumber(redis.call('HGET', P .. 'ingestion', field) or '0') end

local function is_sharing()
  local since = ingestion('since')
  return since > 0 and ingestion('share') > 0 and now - since >= HELD_BACK_MS
end

local function owe_ingestion(ms)
  if not is_sharing() then return end
  local share = ingestion('share')
  local owed = math.min(ingestion('owed') + ms * share / (1 - share), MOST_OWED_MS)
  redis.call('HSET', P .. 'ingestion', 'owed', int(owed))
end

-- Lines ----------------------------------------------------------------------------------

-- A lease has ended, or its time up to now is to be charged. `least`: at least so much.
local function charge(t, n, least)
  local k = item_key(t, n)
  local item = redis.call('HMGET', k, 'leased_at', 'in_share')
  if not item[1] then return end -- leased by an earlier version
  local ms = math.max(now - tonumber(item[1]), 0)
  local unswept = now - tonumber(redis.call('GET', P .. 'swept') or int(now))
  if unswept > GRACE_MS then ms = math.max(ms - unswept, 0) end -- Redis was away
  ms = math.max(ms, least or 0)
  if get(t, 'kind') == 'analyze' then
    redis.call('HINCRBY', P .. 'served', owner_of(t), int(ms))
    owe_ingestion(ms)
  elseif item[2] then
    redis.call('HINCRBY', P .. 'ingestion', 'owed', int(0 - math.max(ms, LEAST_OF_ITEM_MS)))
  end
end

-- Who comes pays nothing for what was in hand before it came.
local function charge_in_hand()
  for _, m in ipairs(redis.call('ZRANGE', P .. 'leases', 0, -1)) do
    local t, n = string.match(m, '(.-)/(.+)')
    if get(t, 'kind') == 'analyze' then
      charge(t, n)
      redis.call('HSET', item_key(t, n), 'leased_at', int(now))
    end
  end
end

local function least_served()
  local holder = redis.call('GET', P .. 'lock')
  local least = holder and served(owner_of(holder))
  for _, owner in ipairs(redis.call('ZRANGE', P .. 'owners', 0, -1)) do
    least = math.min(least or served(owner), served(owner))
  end
  return least
end

local function enter_owner(owner)
  charge_in_hand()
  local least = least_served()
  if not least then
    redis.call('DEL', P .. 'served', P .. 'turn') -- nobody was kept waiting
    least = 0
  end
  local floor = math.max(tonumber(redis.call('HGET', P .. 'turn', 'least') or int(least)), least)
  redis.call('HSET', P .. 'turn', 'least', int(floor))
  redis.call('HSET', P .. 'served', owner, int(math.max(served(owner), floor)))
end

local function is_active(owner)
  local holder = redis.call('GET', P .. 'lock')
  return holder and owner_of(holder) == owner or redis.call('ZSCORE', P .. 'owners', owner)
end

local function stand_in_line(t, in_front)
  local owner = owner_of(t)
  if not is_active(owner) then enter_owner(owner) end
  redis.call('HSET', task_key(t), 'waiting', '1')
  redis.call('HSETNX', task_key(t), 'waits_since', int(now))
  redis.call(in_front and 'LPUSH' or 'RPUSH', line_key(owner), t)
  if in_front then
    redis.call('ZADD', P .. 'owners', int(now + 1), owner) -- among equals it has had its turn
  else
    redis.call('ZADD', P .. 'owners', 'NX', int(now), owner)
  end
end

-- As stand_in_line, at the place that the Task had before it was parked: the oldest comes first.
local function stand_in_order(t)
  local created = tonumber(get(t, 'created'))
  stand_in_line(t)
  for _, each in ipairs(redis.call('LRANGE', line_key(owner_of(t)), 0, -1)) do
    if each ~= t and tonumber(get(each, 'created') or '0') > created then
      redis.call('RPOP', line_key(owner_of(t)))
      redis.call('LINSERT', line_key(owner_of(t)), 'BEFORE', each, t)
      return
    end
  end
end

local function leave_line(t)
  local owner = owner_of(t)
  redis.call('LREM', line_key(owner), 1, t)
  if redis.call('EXISTS', line_key(owner)) == 0 then redis.call('ZREM', P .. 'owners', owner) end
end

-- Earlier versions know one line for all.
local function adopt_old_line()
  local t = redis.call('LPOP', P .. 'waiting')
  while t do
    if not is_over(t) then stand_in_line(t) end
    t = redis.call('LPOP', P .. 'waiting')
  end
end

-- An owner's analyses that wait: in its line, then those that are parked.
local function waiting_of(owner)
  local found = redis.call('LRANGE', line_key(owner), 0, -1)
  for _, t in ipairs(redis.call('HKEYS', P .. 'parked')) do
    if owner_of(t) == owner and get(t, 'kind') == 'analyze' and get(t, 'parked') then
      found[#found + 1] = t
    end
  end
  return found
end

local function first_in_line(owner) return redis.call('LINDEX', line_key(owner), 0) end

-- The waiting Task that an administrator has put before all others.
local function first_of_all()
  local t = redis.call('HGET', P .. 'turn', 'first')
  if t and not is_over(t) and get(t, 'waiting') and not get(t, 'parked') then return t end
end

-- The owner that waits and is owed most, among equals the one that waits longest; not `but`.
local function owed_most(but)
  local best
  for _, owner in ipairs(redis.call('ZRANGE', P .. 'owners', 0, -1)) do
    if owner ~= but and first_in_line(owner) and (not best or served(owner) < served(best)) then
      best = owner
    end
  end
  return best
end

-- The lock -------------------------------------------------------------------------------

-- Note whose turn begins.
local function begin_turn(t)
  local owner = owner_of(t)
  redis.call('HSET', P .. 'turn', 'holder', t, 'began', int(served(owner)), 'worked', int(now),
    'alone', owed_most(owner) and '0' or '1')
end

local function take_lock(t)
  local owner = owner_of(t)
  if not is_active(owner) then enter_owner(owner) end
  redis.call('SET', P .. 'lock', t)
  redis.call('HDEL', task_key(t), 'waiting')
  if redis.call('HGET', P .. 'turn', 'first') == t then redis.call('HDEL', P .. 'turn', 'first') end
  local since = get(t, 'waits_since')
  if since and get(t, 'started') then
    redis.call('HINCRBY', task_key(t), 'waited', int(math.max(now - tonumber(since), 0)))
  end
  redis.call('HDEL', task_key(t), 'waits_since')
  leave_line(t)
  begin_turn(t)
  redis.call('PUBLISH', P .. 'stops', 'ingest') -- running ingest Items hand back
end

-- Whether the holder's turn has ended: no Item of it is claimed, the lock passes with its last lease.
local function is_passing(holder) return get(holder, 'waiting') end

-- Who has the lock when nobody has: nil where it is kept for a request.
local function next_task()
  local best = owed_most()
  local kept
  local first = first_of_all()
  for _, r in ipairs(reservations()) do
    if r.first then return end
    if first and r.owner == owner_of(first) then first = nil end -- it replaces what that owner has
    if not best or r.owner == best or served(r.owner) < served(best) then best, kept = r.owner, r end
  end
  if first then return first end
  if best and not (kept and kept.owner == best) then return first_in_line(best) end
end

-- A free lock goes to whose turn it is. Answers the Task that has it now and had not.
local function pass_lock_on()
  adopt_old_line()
  local holder = redis.call('GET', P .. 'lock')
  if holder then
    if not is_passing(holder) or leases_of(holder) > 0 then return end
    redis.call('DEL', P .. 'lock')
    if not is_stopping(holder) then redis.call('HSET', task_key(holder), 'state', 'queued') end
  end
  local t = next_task()
  if t then take_lock(t) end
  if holder and holder ~= t then changed(holder) end
  if not t then return end
  redis.call('SADD', P .. 'unrung', t)
  changed(t)
  return t
end

local function is_turn_over(holder)
  local owner = owner_of(holder)
  local other = owed_most(owner)
  local first = first_of_all()
  if first and owner_of(first) ~= owner then other = owner_of(first) else first = nil end
  if not other then redis.call('HSET', P .. 'turn', 'alone', '1') end
  if not other then return false end
  local had, turn = served(owner), redis.call('HMGET', P .. 'turn', 'began', 'alone', 'worked')
  local spent, is_idle = had - tonumber(turn[1]), leases_of(holder) == 0
  if is_idle and now - tonumber(turn[3]) >= IDLE_MS then
    -- Its workers leave its Items to others: so does it. It comes after who waits.
    redis.call('HSET', P .. 'served', owner, int(math.max(had, served(other)) + 1))
    return true
  end
  if (not first and served(other) > had) or (spent <= 0 and is_idle) then return false end
  return turn[2] ~= '0' or spent >= TURN_MS
end

-- The same, after the holder's turn was ended if it is over. Answers as pass_lock_on.
local function take_turns()
  adopt_old_line()
  local holder = redis.call('GET', P .. 'lock')
  if holder and redis.call('HGET', P .. 'turn', 'holder') ~= holder then
    enter_owner(owner_of(holder)) -- an earlier version has given it the lock
    begin_turn(holder)
  end
  if holder and not is_passing(holder) and not is_stopping(holder)
    and redis.call('EXISTS', queued_key(holder)) == 1 and is_turn_over(holder) then
    stand_in_line(holder, true)
  end
  return pass_lock_on()
end

-- Ingestion ------------------------------------------------------------------------------

local function is_held_back()
  local holder = redis.call('GET', P .. 'lock')
  if holder then return not is_passing(holder) end
  return #reservations() > 0
end

-- A job of an ingest Item that nobody may do now: the sweep enqueues it when the lock is free.
local function yield_to_foreground(t, n)
  redis.call('SADD', P .. 'yielded', t .. '/' .. n)
  redis.call('HSETNX', P .. 'ingestion', 'since', int(now))
  redis.call('HDEL', P .. 'ingestion', 'named')
end

-- An ingest Item that waits: of another Task than the one that was named last, if there is one.
local function next_of_ingestion()
  local last = string.match(redis.call('HGET', P .. 'ingestion', 'named') or '', '(.-)/')
  local found, item
  for _, t in ipairs(redis.call('SMEMBERS', P .. 'active')) do
    local first = get(t, 'kind') == 'ingest' and redis.call('ZRANGE', queued_key(t), 0, 0)
    if first and first[1] and (not found or t ~= last) then found, item = t, first[1] end
  end
  return found, item
end

-- Whether its job was named lately; notes it. It is named again, for jobs of the next Task may have
-- come before it, and ever more rarely, so that the queue does not grow while no worker runs.
local function is_named(t, n)
  local m = t .. '/' .. n
  if redis.call('HGET', P .. 'ingestion', 'named') ~= m then
    redis.call('HSET', P .. 'ingestion', 'named', m, 'named_first', int(now), 'named_at', int(now))
    return false
  end
  local at = ingestion('named_at')
  local pause = math.min(at - ingestion('named_first'), RAREST_NAMING_MS)
  if now - at < math.max(pause, ENQUEUE_AGAIN_MS) then return true end
  redis.call('HSET', P .. 'ingestion', 'named_at', int(now))
  return false
end

-- Whether an ingest Item may be claimed although ingestion is held back.
local function has_share()
  if not is_sharing() then return false end
  local owed = ingestion('owed') + 1 -- the first Item begins at once
  for _, m in ipairs(redis.call('ZRANGE', P .. 'leases', 0, -1)) do
    local item = redis.call('HMGET', item_key(string.match(m, '(.-)/(.+)')), 'in_share', 'leased_at')
    if item[1] then owed = owed - math.max(now - tonumber(item[2]), LEAST_OF_ITEM_MS) end
  end
  return owed > 0
end
