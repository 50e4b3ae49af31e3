-- A worker ends its Item. ARGV: 3 task, 4 item, 5 token, 6 done|failed|cancelled|handback,
-- 7 reason, 8 fault of a failure, 9 what became of a done Item, or "". Answers 1 (also to a repeated
-- call), or 0 where the lease is lost.
local t, n, token, outcome, reason = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local k = item_key(t, n)
if redis.call('HGET', k, 'settled') == token then return 1 end
if not is_mine(t, n, token) then return 0 end
redis.call('HSET', k, 'settled', token)
if outcome == 'done' and ARGV[9] ~= '' then redis.call('HSET', k, 'result', ARGV[9]) end

local function all_files_failed()
  local units = 0
  for _, file in ipairs(cjson.decode(redis.call('HGET', k, 'files'))) do units = units + #file[2] end
  return units > 0 and tonumber(redis.call('HGET', k, 'bad') or '0') >= units
end

if outcome == 'failed' then
  count('item_errors:' .. ARGV[8])
  local errors = redis.call('HINCRBY', k, 'errors', 1)
  if errors < TRIES then outcome = is_stopping(t) and 'cancelled' or 'handback' end
elseif outcome == 'handback' and is_stopping(t) then
  outcome = 'cancelled'
elseif outcome == 'done' and all_files_failed() then
  outcome, reason = 'failed', reason ~= '' and reason or 'None of the files could be used.'
end

if outcome == 'handback' then
  requeue(t, n)
else
  end_item(t, n, outcome, reason, ARGV[8])
  finish(t)
end
return 1
