-- ARGV: 3 task, or "" for the foreground Task. Answers {1 if it was running, its id}, or nothing
-- for an unknown id.
local t = ARGV[3]
if t == '' then
  t = redis.call('GET', P .. 'lock')
  if not t then return { 0, '' } end
elseif redis.call('EXISTS', task_key(t)) == 0 then
  return false
end
return { stop(t) and 1 or 0, t }
