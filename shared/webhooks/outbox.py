"""What waits to be sent to each webhook, when it is due, and what could not be sent.

The ledger's scripts put messages in, in the step that makes them true (`notify` of
lua/library/1_webhooks.lua); one sender takes them out. A message stays until it was received, or
for a day: at least once, in no promised order.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
import redis

from shared.msgspec_decoding import decoded
from shared.paths import lies_in_one
from shared.redis.clients import key_prefix
from shared.webhooks.events import DROPPED, MOST_DEAD, Message
from shared.webhooks.subscriptions import Webhook

MOST_WAITING = 10_000  # as in lua/library/1_webhooks.lua
GIVEN_UP_AFTER_S = 86_400.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 3_600.0


# A message was received; once half of the outbox is free again, how many were dropped is told.
# In one step: the ledger's scripts count more of them meanwhile. KEYS: due, tries, state.
# ARGV: the message, now, one to tell what was dropped, how many may wait then.
_SENT = """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return end
redis.call('HDEL', KEYS[2], ARGV[1], 'again:' .. ARGV[1])
redis.call('HSET', KEYS[3], 'sent', ARGV[2])
redis.call('HDEL', KEYS[3], 'error')
local dropped = tonumber(redis.call('HGET', KEYS[3], 'dropped') or '0')
if dropped > 0 and redis.call('ZCARD', KEYS[1]) <= tonumber(ARGV[4]) then
  local message = cjson.decode(ARGV[3])
  message.data.count = dropped
  redis.call('HDEL', KEYS[3], 'dropped')
  redis.call('ZADD', KEYS[1], message.timestamp * 1000, cjson.encode(message))
end
"""

# Messages that were given up go. KEYS: dead; with two more (due, tries) they wait to be sent, for a
# day from now on. In one step: nobody else finds them meanwhile.
# ARGV: now, then by twos: as it lies there, the message.
_TAKE_DEAD = """
local count = 0
for at = 2, #ARGV, 2 do
  if redis.call('LREM', KEYS[1], 1, ARGV[at]) == 1 then
    count = count + 1
    if KEYS[2] then
      redis.call('ZADD', KEYS[2], ARGV[1] * 1000, ARGV[at + 1])
      redis.call('HSET', KEYS[3], 'again:' .. ARGV[at + 1], ARGV[1])
    end
  end
end
return count
"""


class DeadMessage(msgspec.Struct, frozen=True):
    """A message that was given up."""

    message: Message
    error: str
    given_up_at: float


class OutboxState(msgspec.Struct, frozen=True, kw_only=True):
    """How the sending to one webhook goes."""

    waiting: int
    dropped: int
    dead: int
    last_sent_at: float | None
    last_error: str | None


class Outbox:
    """The outboxes of one instance. `client` must decode responses. All raise RedisAway."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._prefix = key_prefix(instance)
        self._sent = client.register_script(_SENT)
        self._take_dead = client.register_script(_TAKE_DEAD)

    def put(self, hook_id: str, message: Message) -> None:
        raw = msgspec.json.encode(message)
        self._redis.zadd(self._key(hook_id), {raw: message.timestamp * 1000})

    def tell(self, hooks: Iterable[Webhook], message: Message, folders: Sequence[str]) -> None:
        """Put a message about `folders` in for each webhook that wants it, as the scripts do."""
        for hook in hooks:
            is_outside = hook.roots and not all(lies_in_one(f, hook.roots) for f in folders)
            if message.type not in hook.events or is_outside:
                continue
            waiting: Any = self._redis.zcard(self._key(hook.id))
            if int(waiting) >= MOST_WAITING:
                self._redis.hincrby(self._key(hook.id, "-state"), "dropped", 1)
                continue
            self.put(hook.id, message)

    def due(self, hook_id: str, count: int) -> list[str]:
        """Messages that may be sent now, the longest due first, as they lie there."""
        found: Any = self._redis.zrangebyscore(
            self._key(hook_id), "-inf", time.time() * 1000, start=0, num=count
        )
        return list(found)

    def sent(self, hook_id: str, raw: str) -> None:
        now = time.time()
        told = Message(f"{DROPPED}:{hook_id}:{now:.3f}", DROPPED, round(now, 3), {"count": 0})
        keys = [self._key(hook_id), self._key(hook_id, "-tries"), self._key(hook_id, "-state")]
        words: list[str | bytes | float] = [raw, round(now, 3), msgspec.json.encode(told)]
        words.append(MOST_WAITING // 2)
        self._sent(keys=keys, args=words)

    def failed(self, hook_id: str, raw: str, error: str) -> None:
        """A message was not received: it is due again later, or given up after a day."""
        now = time.time()
        if self._redis.zscore(self._key(hook_id), raw) is None:
            return  # its webhook was removed meanwhile
        self._redis.hset(self._key(hook_id, "-state"), "error", error)
        message = decoded(raw, Message)
        if message is None or now - self._since(hook_id, raw, message) > GIVEN_UP_AFTER_S:
            self._give_up(hook_id, raw, message, error)
            return
        tries: Any = self._redis.hincrby(self._key(hook_id, "-tries"), raw, 1)
        pause_s = min(_FIRST_PAUSE_S * 2 ** min(int(tries) - 1, 20), _LONGEST_PAUSE_S)
        self._redis.zadd(self._key(hook_id), {raw: (now + pause_s) * 1000}, xx=True)

    def dead(self, hook_id: str) -> list[DeadMessage]:
        """Messages that were given up, the newest first."""
        return [one for _, one in self._given_up(hook_id)]

    def send_dead_again(self, hook_id: str, ids: Collection[str] | None) -> int:
        """Have messages that were given up sent, for another day; how many. None: all."""
        keys = [self._key(hook_id, "-dead"), self._key(hook_id), self._key(hook_id, "-tries")]
        known = self._given_up(hook_id)
        chosen = [(raw, one) for raw, one in known if ids is None or one.message.id in ids]
        return self._take(keys, [(raw, msgspec.json.encode(one.message)) for raw, one in chosen])

    def drop_dead(self, hook_id: str, ids: Collection[str] | None) -> int:
        """Forget messages that were given up; how many. None: all."""
        if ids is None:  # also what another version has written otherwise
            raws: Any = self._redis.lrange(self._key(hook_id, "-dead"), 0, -1)
        else:
            raws = [raw for raw, one in self._given_up(hook_id) if one.message.id in ids]
        return self._take([self._key(hook_id, "-dead")], [(raw, "") for raw in raws])

    def state(self, hook_id: str) -> OutboxState:
        with self._redis.pipeline() as pipe:
            pipe.zcard(self._key(hook_id))
            pipe.llen(self._key(hook_id, "-dead"))
            pipe.hmget(self._key(hook_id, "-state"), "dropped", "sent", "error")
            waiting, dead, (dropped, sent, error) = pipe.execute()
        return OutboxState(
            waiting=waiting,
            dropped=int(dropped or 0),
            dead=dead,
            last_sent_at=float(sent) if sent else None,
            last_error=error,
        )

    def forget(self, hook_id: str) -> None:
        """Drop what is there of a webhook that is no more."""
        kinds = ("", "-tries", "-state", "-dead")
        self._redis.delete(*(self._key(hook_id, kind) for kind in kinds))

    def _take(self, keys: list[str], chosen: Sequence[tuple[str, str | bytes]]) -> int:
        """As the script; `chosen`, newest first: as each lies there, and its message."""
        words: list[str | bytes | float] = [round(time.time(), 3)]
        for each in reversed(chosen):
            words += each
        count: Any = self._take_dead(keys=keys, args=words)
        return int(count)

    def _given_up(self, hook_id: str) -> list[tuple[str, DeadMessage]]:
        """The newest first, each with how it lies there."""
        found: Any = self._redis.lrange(self._key(hook_id, "-dead"), 0, MOST_DEAD - 1)
        return [(raw, one) for raw in found if (one := decoded(raw, DeadMessage))]

    def _since(self, hook_id: str, raw: str, message: Message) -> float:
        """From when on its day counts: since it happened, or was to be sent again."""
        again: Any = self._redis.hget(self._key(hook_id, "-tries"), f"again:{raw}")
        return float(again or message.timestamp)

    def _give_up(self, hook_id: str, raw: str, message: Message | None, error: str) -> None:
        with self._redis.pipeline() as pipe:
            pipe.zrem(self._key(hook_id), raw)
            pipe.hdel(self._key(hook_id, "-tries"), raw, f"again:{raw}")
            if message is not None:
                dead = DeadMessage(message, error, round(time.time(), 3))
                pipe.lpush(self._key(hook_id, "-dead"), msgspec.json.encode(dead))
                pipe.ltrim(self._key(hook_id, "-dead"), 0, MOST_DEAD - 1)
            pipe.execute()

    def _key(self, hook_id: str, kind: str = "") -> str:
        """Key of what is due, or of `-tries`, `-state` or `-dead` beside it."""
        return f"{self._prefix}outbox{kind}:{hook_id}"
