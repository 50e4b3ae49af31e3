-- A replacing request has waited long enough. ARGV: 3 task.
-- Answers free where the lock came free at the last moment (it then has its right a little
-- longer), else gone: its right ends.
if redis.call('HGET', P .. 'heir', 'task') ~= ARGV[3] then return 'gone' end
if not redis.call('GET', P .. 'lock') then
  redis.call('HSET', P .. 'heir', 'until', int(now + 500))
  return 'free'
end
redis.call('DEL', P .. 'heir')
return 'gone'
