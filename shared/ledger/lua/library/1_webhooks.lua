-- Webhooks are told in the step that makes something true. What they subscribed to lies in the
-- hash `webhooks`, their outboxes are sorted sets by when a message is due (shared/webhooks/outbox.py).
local MOST_WAITING = 10000

-- `id`: the same however often it is told. `data`: a table for JSON.
local function notify(event, id, data)
  local hooks = redis.call('HGETALL', P .. 'webhooks')
  for at = 1, #hooks, 2 do
    local hook, wants = cjson.decode(hooks[at + 1]), false
    for _, wanted in ipairs(hook.events) do wants = wants or wanted == event end
    if wants then
      local outbox = P .. 'outbox:' .. hooks[at]
      if redis.call('ZCARD', outbox) >= MOST_WAITING then
        redis.call('HINCRBY', P .. 'outbox-state:' .. hooks[at], 'dropped', 1)
      else
        local message = { id = id, type = event, timestamp = now / 1000, data = data }
        redis.call('ZADD', outbox, now, cjson.encode(message))
      end
    end
  end
end
