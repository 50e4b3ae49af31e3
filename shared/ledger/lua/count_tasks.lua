-- How many of the remembered Tasks are in each state, and of those that wait by what they wait for
-- ("waiting:" and the code): {word, number, …}. ARGV: none of its own.
local found, answer = {}, {}
for _, t in ipairs(redis.call('LRANGE', P .. 'recent', 0, -1)) do
  local state = get(t, 'state')
  if state then found[state] = (found[state] or 0) + 1 end
  if state == 'queued' and get(t, 'waiting') then
    local parked = get(t, 'parked') and redis.call('HGET', P .. 'parked', t)
    local word = 'waiting:' .. (parked and cjson.decode(parked)[1].code or 'turn')
    found[word] = (found[word] or 0) + 1
  end
end
for state, number in pairs(found) do
  answer[#answer + 1] = state
  answer[#answer + 1] = number
end
return answer
