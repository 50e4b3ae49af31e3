-- A file has ended in one type. ARGV: 3 task, 4 item, 5 token, 6 type, 7 index in the Item, 8 media_path,
-- 9 error or "", 10 worker, 11 fault of an error, 12 "1" where it had been done before.
-- Answers 1 (also to a repeated call), or 0 where the lease is lost.
local t, n = ARGV[3], ARGV[4]
if not is_mine(t, n, ARGV[5]) then return 0 end
local is_new = file_ended(t, n, ARGV[7], ARGV[6], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12] == '1')
if is_new then
  redis.call('HSET', task_key(t), 'type', ARGV[6], 'media_path', ARGV[8])
  if not is_stopping(t) then redis.call('HSET', task_key(t), 'state', 'running') end
  changed(t)
end
return 1
