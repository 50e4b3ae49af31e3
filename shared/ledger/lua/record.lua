-- The newest state of a Task in one step: {fields and values, failures once it is final, why it is
-- parked as JSON or "", its place in line or "", who holds the lock, his Task's sender and folders, what
-- was not applicable to files once it is final}. ARGV: 3 task.
local t = ARGV[3]
local fields = redis.call('HGETALL', task_key(t))
if #fields == 0 then return false end
local failures, not_applicable = {}, {}
if is_over(t) then
  not_applicable = redis.call('HVALS', not_applicable_key(t))
  local noted = redis.call('HGETALL', failures_key(t))
  for at = 1, #noted, 2 do -- an earlier version notes as failed what is not applicable
    local ended = redis.call('HGET', ended_files_key(t), noted[at]) or ''
    local list = string.find(ended, '"nothing"]', 1, true) and not_applicable or failures
    list[#list + 1] = noted[at + 1]
  end
end

local function since(owner) return tonumber(redis.call('ZSCORE', P .. 'owners', owner)) end

-- The Tasks before it: of its own line, and of other owners as many as they get turns until then.
local function place()
  local owner = owner_of(t)
  local before = redis.call('LPOS', line_key(owner), t)
  if not before then return '' end
  local first = first_of_all()
  if first == t then return '1' end
  local others = 0
  for _, other in ipairs(redis.call('ZRANGE', P .. 'owners', 0, -1)) do
    if other ~= owner then
      local is_first = served(other) < served(owner)
        or served(other) == served(owner) and since(other) <= since(owner)
      local turns = is_first and before + 1 or before
      if first and other == owner_of(first) then turns = math.max(turns, 1) end
      others = others + math.min(redis.call('LLEN', line_key(other)), turns)
    end
  end
  return int(before + others + 1)
end

local holder = redis.call('GET', P .. 'lock')
return { fields, failures, redis.call('HGET', P .. 'parked', t) or '', place(), holder or '',
  holder and get(holder, 'sender') or '', holder and get(holder, 'folders') or '', not_applicable }
