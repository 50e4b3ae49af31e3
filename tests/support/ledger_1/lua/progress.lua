-- ARGV: 3 task, 4 item, 5 token, 6 type, 7 files of the Item done so far, 8 media_path,
-- 9 message, 10 status. Answers 1, or 0 where the lease is lost.
local t, n = ARGV[3], ARGV[4]
if not is_mine(t, n, ARGV[5]) then return 0 end
local k = task_key(t)
advance(t, n, ARGV[6], tonumber(ARGV[7]))
if not is_stopping(t) then
  -- Another model, here or at another worker, may still load; once anything advances, the Task runs.
  local moved = false
  for _, unit in ipairs(cjson.decode(get(t, 'types'))) do
    moved = moved or tonumber(get(t, 'at:' .. unit[1]) or '0') > 0
  end
  local state = (ARGV[10] == 'loading_model' and not moved) and 'loading_model' or 'running'
  redis.call('HSET', k, 'state', state, 'message', ARGV[9])
end
redis.call('HSET', k, 'type', ARGV[6], 'media_path', ARGV[8])
changed(t)
return 1
