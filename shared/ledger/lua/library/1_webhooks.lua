-- Webhooks are told in the step that makes something true. What they subscribed to lies in the
-- hash `webhooks`, their outboxes are sorted sets by when a message is due (shared/webhooks/outbox.py).
local MOST_WAITING = 10000

-- Whether a webhook's key may read of a Task whose files lie in `folders` (JSON; nil: unknown).
local function may_read(hook, folders)
  if type(hook.roots) ~= 'table' then return true end
  local places = folders and cjson.decode(folders) or {}
  for _, place in ipairs(places) do
    local is_inside = false
    for _, root in ipairs(hook.roots) do
      local base = root:gsub('/%./', '/'):gsub('/+$', '') .. '/'
      is_inside = is_inside or (place .. '/'):sub(1, #base) == base
    end
    if not is_inside then return false end
  end
  return #places > 0
end

-- `id`: the same however often it is told. `data`: a table for JSON. `folders`: as in may_read.
local function notify(event, id, data, folders)
  local hooks = redis.call('HGETALL', P .. 'webhooks')
  for at = 1, #hooks, 2 do
    local is_json, hook = pcall(cjson.decode, hooks[at + 1])
    local events, wants = is_json and type(hook) == 'table' and hook.events, false
    for _, wanted in ipairs(type(events) == 'table' and events or {}) do
      wants = wants or wanted == event
    end
    if wants and may_read(hook, folders) then
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
