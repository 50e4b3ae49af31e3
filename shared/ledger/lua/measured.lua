-- A worker measured its work. ARGV: 3 what kind of work, 4 how much of it (milliseconds of footage,
-- thousandths of stills), 5 milliseconds that a worker process had to itself for it.
-- What is old counts ever less, so that another card or model shows.
local MOST_MS = 4 * 3600 * 1000
local k, amount, ms = P .. 'rates', ARGV[3] .. '|amount', ARGV[3] .. '|ms'
local made = redis.call('HINCRBY', k, amount, ARGV[4])
local spent = redis.call('HINCRBY', k, ms, ARGV[5])
if spent > MOST_MS then
  redis.call('HSET', k, amount, int(math.floor(made / 2)), ms, int(math.floor(spent / 2)))
end
return 1
