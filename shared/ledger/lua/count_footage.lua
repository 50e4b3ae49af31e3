-- Footage of an Item was worked through. ARGV: 3 task, 4 item, 5 token, 6 type, 7 milliseconds of
-- the Item so far. Only what is more than before counts, whoever did it and how often it is said.
-- Answers 1, or 0 where the lease is lost.
local t, n, kind, so_far = ARGV[3], ARGV[4], ARGV[6], tonumber(ARGV[7])
if not is_mine(t, n, ARGV[5]) then return 0 end
local field = 'footage_ms:' .. kind
local before = tonumber(redis.call('HGET', item_key(t, n), field) or '0')

-- The Task's footage of all types, as [[when, how much], …] of the last PACE_MS: its pace.
local PACE_MS, SAMPLE_MS = 180000, 5000
local function note_pace(more)
  local total = redis.call('HINCRBY', task_key(t), 'footage_ms', int(more))
  local raw = get(t, 'pace')
  local pace = raw and cjson.decode(raw) or { { tonumber(get(t, 'started') or int(now)), 0 } }
  if now - pace[#pace][1] < SAMPLE_MS then return end
  pace[#pace + 1] = { now, total }
  while #pace > 2 and now - pace[1][1] > PACE_MS do table.remove(pace, 1) end
  redis.call('HSET', task_key(t), 'pace', cjson.encode(pace))
end

if so_far > before then
  redis.call('HSET', item_key(t, n), field, int(so_far))
  count(field, int(so_far - before))
  note_pace(so_far - before)
  local owner = get(t, 'owner')
  if owner and owner ~= '' then
    redis.call('HINCRBY', P .. 'key-use:' .. owner, 'footage_ms', int(so_far - before))
  end
end
return 1
