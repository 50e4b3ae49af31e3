-- Nobody is there who could do anything of a Task. ARGV: 3 task, 4 code, 5 key and 6 message of the reason.
-- Answers {1 where it is parked now, jobs to enqueue …}.
local t = ARGV[3]
if is_over(t) or is_stopping(t) or get(t, 'parked') or leases_of(t) > 0 then return { 0 } end
local reason = { code = ARGV[4], key = ARGV[5], message = ARGV[6], queue = get(t, 'queue'), host = '' }
redis.call('HSET', P .. 'parked', t, cjson.encode({ reason }))
park_task(t)
jobs_of(take_turns())
return { 1, unpack(jobs) }
