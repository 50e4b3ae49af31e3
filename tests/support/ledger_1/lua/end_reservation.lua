-- A replacing request has waited long enough. ARGV: 3 task.
-- Answers free where the lock came free at the last moment (it is then reserved a little longer),
-- else gone: the reservation ends.
if redis.call('HGET', RESERVATION, 'task') ~= ARGV[3] then return 'gone' end
if not redis.call('GET', P .. 'lock') then
  redis.call('HSET', RESERVATION, 'until', int(now + 500))
  return 'free'
end
redis.call('DEL', RESERVATION)
return 'gone'
