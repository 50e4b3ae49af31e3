-- The newest state of a Task in one step: {fields and values, failures once it is final}.
-- ARGV: 3 task.
local t = ARGV[3]
local fields = redis.call('HGETALL', task_key(t))
if #fields == 0 then return false end
local failures = {}
if is_over(t) then failures = redis.call('HVALS', failures_key(t)) end
return { fields, failures }
