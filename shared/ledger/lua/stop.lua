-- ARGV: 3 task, or "" for the foreground Task; 4 owner whose own that must be then ("any": whoever's):
-- the one that has begun, else the first that waits to replace others, else the first that waits.
-- Answers {1 if it was running, its id, jobs to enqueue …}, or nothing for an unknown id.
-- ARGV 5: what people call who stops it, where it is not its owner; "" otherwise.
local t, owner = ARGV[3], ARGV[4]

local function of_owner()
  local waiting, queued
  for _, each in ipairs(waiting_of(owner)) do
    if not is_over(each) and get(each, 'started') then return each end
    if not is_over(each) then
      queued = queued or each
      if get(each, 'on_busy') ~= 'queue' then waiting = waiting or each end
    end
  end
  return waiting or queued
end

if t == '' then
  t = redis.call('GET', P .. 'lock')
  if owner ~= 'any' and not (t and is_own(t, owner)) then t = of_owner() end
  if not t then return { 0, '' } end
elseif redis.call('EXISTS', task_key(t)) == 0 then
  return false
end
local was_open, passed_to = stop(t, ARGV[5] ~= '' and ARGV[5] or nil)
jobs_of(passed_to)
return { was_open and 1 or 0, t, unpack(jobs) }
