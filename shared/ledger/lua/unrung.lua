-- Its jobs were named to somebody who does not enqueue: the sweep names them again. ARGV: 3 task.
redis.call('SADD', P .. 'unrung', ARGV[3])
