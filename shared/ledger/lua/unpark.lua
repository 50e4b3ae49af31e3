-- A worker can do, or has not tried yet, what a Task is parked for. ARGV: 3 task.
-- Answers jobs to enqueue: task, item, queue, front, …
local t = ARGV[3]
if is_over(t) then
  redis.call('HDEL', P .. 'parked', t)
  redis.call('DEL', parked_key(t))
elseif is_stopping(t) then
  jobs_of(cancel_queued(t))
elseif redis.call('HEXISTS', P .. 'parked', t) == 1 then
  unpark(t)
  local passed_to = take_turns()
  jobs_of(passed_to)
  if passed_to ~= t then jobs_of(t) end
end
return jobs
