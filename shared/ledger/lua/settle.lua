-- A worker ends its Item. ARGV: 3 task, 4 item, 5 token, 6 done|failed|cancelled|handback|refused,
-- 7 reason, 8 fault of a failure, 9 what became of a done Item, or ""; of one that its machine
-- cannot do now: 10 code and 11 key of the reason; of a refused one 12 machine, 13 machines that do
-- such work, as JSON.
-- Answers {1 (also to a repeated call), or 0 where the lease is lost, jobs to enqueue …}.
local t, n, token, outcome, reason = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local k = item_key(t, n)
if redis.call('HGET', k, 'settled') == token then return { 1 } end
if not is_mine(t, n, token) then return { 0 } end
redis.call('HSET', k, 'settled', token)
if outcome == 'done' and ARGV[9] ~= '' then redis.call('HSET', k, 'result', ARGV[9]) end

-- What does not apply to a file counts as neither good nor bad.
local function all_files_failed()
  local item, units = redis.call('HMGET', k, 'files', 'bad'), 0
  local bad = tonumber(item[2] or '0')
  if bad == 0 then return false end
  for index, file in ipairs(cjson.decode(item[1])) do
    for _, kind in ipairs(file[2]) do
      local field = n .. ':' .. int(index - 1) .. ':' .. kind
      units = units + 1 - redis.call('HEXISTS', not_applicable_key(t), field)
    end
  end
  return bad >= units
end

if outcome == 'failed' then
  count('item_errors:' .. ARGV[8])
  local errors = redis.call('HINCRBY', k, 'errors', 1)
  if errors < TRIES then outcome = is_stopping(t) and 'cancelled' or 'handback' end
elseif (outcome == 'handback' or outcome == 'refused') and is_stopping(t) then
  outcome = 'cancelled'
elseif outcome == 'done' and all_files_failed() then
  outcome, reason = 'failed', reason ~= '' and reason or 'None of the files could be used.'
end

local passed_to
if outcome == 'handback' or outcome == 'refused' then
  local why = ARGV[10] ~= '' and { code = ARGV[10], key = ARGV[11], message = reason,
    host = ARGV[12], queue = get(t, 'queue') }
  requeue(t, n, why)
  if why then hold_up(t, why) end
  local by_host = outcome == 'refused' and refused_by_all(t, n, why, cjson.decode(ARGV[13]))
  if by_host then park_item(t, n, by_host) end
else
  end_item(t, n, outcome, reason, ARGV[8])
  passed_to = finish(t)
end
one_more_job(t)
park_if_stuck(t)
jobs_of(passed_to or take_turns())
return { 1, unpack(jobs) }
