-- A replacing request stops waiting: its right to the lock ends. ARGV: 3 task.
if redis.call('HGET', P .. 'heir', 'task') == ARGV[3] then
  redis.call('DEL', P .. 'heir')
  pass_lock_on()
end
return 'ok'
