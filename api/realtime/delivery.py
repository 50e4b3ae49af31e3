"""Who watches which Task, and what each of them was sent: the newest state, never an older one.

Replay and live progress are one path. Knows neither Socket.IO nor Redis.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.errors import BadInput, RedisAway
from shared.ledger.records import TaskRecord

log = logging.getLogger(__name__)
MOST_OPEN = 1_000  # Tasks that one socket watches and that have not ended
EVERY_S = 0.25  # at most four events a second per Task; of some rooms fewer
_NEVER = False, -1  # the age of what a socket was sent that was sent nothing
_LOST = (
    "Redis has lost this task, so nothing more will be heard of it. What was finished stays; "
    "start the analysis again for the rest."
)
# A state of a Task of which nothing was ever read.
_UNKNOWN: dict[str, Any] = {
    **{"type": "video", "progress": 0.0, "overall_progress": 0.0, "current": 0, "total": 0},
    **{"media_path": None, "failed_files": [], "superseded_by": None},
    **{"waiting_for": None, "place": None, "owner": None, "client": None},
}


@dataclass(frozen=True, slots=True)
class Event:
    """A state of a Task as it is sent; a higher `seq` is newer."""

    seq: int
    is_final: bool
    payload: dict[str, Any]
    waits: object = None  # why and at which place in line: sent again when it is another
    # The last event of each type all of whose files have ended: a newer state is of another type.
    type_ends: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    record: TaskRecord | None = None  # None: the Task is lost, or the room is no Task's


Read = Callable[[str], Awaitable[Event | None]]
Send = Callable[[str, dict[str, Any], TaskRecord | None], Awaitable[None]]
IsThere = Callable[[str], bool]  # whether a socket is still connected


@dataclass(slots=True)
class _Sent:
    """The last event sent to a socket: see `_age`, and Event.waits."""

    age: tuple[bool, int] = _NEVER
    waits: object = None
    ended_types: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Room:
    task_id: str
    sent: dict[str, _Sent] = field(default_factory=dict)
    last: Event | None = None
    next_at: float = 0.0
    pending: asyncio.Task[None] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_open(self) -> bool:
        return self.last is None or not self.last.is_final


class Delivery:
    """`note_change` says that a Task may have changed; it is read and sent in turn."""

    def __init__(
        self,
        read: Read,
        send: Send,
        is_there: IsThere,
        pauses_s: Mapping[str, float] | None = None,
    ) -> None:
        """`pauses_s`: of rooms that are sent less than four events a second."""
        self._pauses_s = pauses_s or {}
        self._read = read
        self._send = send
        self._is_there = is_there
        self._rooms: dict[str, _Room] = {}
        self._joined: dict[str, set[str]] = {}  # socket id -> its Tasks

    async def join(self, socket_id: str, task_id: str) -> bool:
        """Watch a Task and send its latest state at once; False: there is no such Task.

        Joining again sends it again. Raises RedisAway while its state cannot be read; the socket
        has joined all the same, and is sent the state, or that the Task is lost, afterwards.
        Raises BadInput where the socket watches too many.
        """
        try:
            if await self._read(task_id) is None:
                return False
        except RedisAway:
            self._enter(socket_id, task_id)
            raise
        self._enter(socket_id, task_id)
        if task_id in self._rooms:
            await self._deliver(self._rooms[task_id])
        return True

    def _enter(self, socket_id: str, task_id: str) -> None:
        if self._is_there(socket_id):  # else it left while we read; `forget` will not come again
            joined = self._joined.setdefault(socket_id, set())
            others = joined - {task_id}
            if sum(self._rooms[other].is_open for other in others) >= MOST_OPEN:
                raise BadInput(
                    f"A socket may watch {MOST_OPEN:,} open tasks: leave some of them first."
                )
            room = self._rooms.setdefault(task_id, _Room(task_id))
            room.sent[socket_id] = _Sent()
            joined.add(task_id)

    def leave(self, socket_id: str, task_id: str) -> bool:
        """Stop watching; False: it did not."""
        room = self._rooms.get(task_id)
        if room is None or room.sent.pop(socket_id, None) is None:
            return False
        if not room.sent:
            del self._rooms[task_id]
        self._joined[socket_id].remove(task_id)
        return True

    def forget(self, socket_id: str) -> None:
        """A socket is gone."""
        for task_id in list(self._joined.get(socket_id, ())):
            self.leave(socket_id, task_id)
        self._joined.pop(socket_id, None)

    def note_change(self, task_id: str) -> None:
        """Deliver a Task's record soon; many changes in a quarter of a second are one event."""
        room = self._rooms.get(task_id)
        if room is not None and room.pending is None:
            room.pending = asyncio.create_task(self._in_turn(room))

    def note_all(self) -> None:
        """Look after every watched Task that has not ended."""
        for room in self._rooms.values():
            if room.is_open:
                self.note_change(room.task_id)

    async def _in_turn(self, room: _Room) -> None:
        try:
            await asyncio.sleep(max(0.0, room.next_at - asyncio.get_running_loop().time()))
        finally:
            room.pending = None  # before reading: what changes from now on is read once more
        try:
            await self._deliver(room)
        except RedisAway as error:
            log.debug("Task %s is looked at again later: %s", room.task_id, error)

    async def _deliver(self, room: _Room) -> None:
        async with room.lock:
            pause_s = self._pauses_s.get(room.task_id, EVERY_S)
            room.next_at = asyncio.get_running_loop().time() + pause_s
            event = await self._read(room.task_id) or _end_of_lost(room)
            for socket_id, sent in list(room.sent.items()):
                ends = _unsent_ends(sent, event)
                for kind, end in ends.items():
                    if socket_id in room.sent:
                        await self._send(socket_id, end, event.record)
                    sent.ended_types.add(kind)
                if ends and not event.is_final and sent.age != _NEVER:
                    self.note_change(room.task_id)  # the state itself has the next turn
                    continue
                is_same = sent.age == _age(event)
                waits_anew = is_same and not event.is_final and sent.waits != event.waits
                if (sent.age < _age(event) or waits_anew) and socket_id in room.sent:
                    await self._send(socket_id, event.payload, event.record)
                    sent.age, sent.waits = _age(event), event.waits
                    sent.ended_types |= event.type_ends.keys() & {event.payload.get("type")}
            room.last = event  # not before: what was not sent is sent later


def _unsent_ends(sent: _Sent, event: Event) -> dict[str, dict[str, Any]]:
    """Return the ends of other types that a socket has missed."""
    if event.is_final and sent.age in (_NEVER, _age(event)):  # it is sent the Task's end alone
        return {}
    sent_types = {*sent.ended_types, event.payload.get("type")}
    return {kind: end for kind, end in event.type_ends.items() if kind not in sent_types}


def _age(event: Event) -> tuple[bool, int]:
    """Higher is newer. An end is newest: a Redis that lost its last second counts `seq` again."""
    return event.is_final, event.seq


def _end_of_lost(room: _Room) -> Event:
    """The end of a Task that is not known any more: a Redis has come up empty, or without it."""
    if room.last is not None and room.last.is_final:
        return room.last
    ended = {"status": "failed", "message": _LOST, "error": _LOST, "eta_seconds": None}
    known = room.last.payload if room.last else {"task_id": room.task_id, **_UNKNOWN}
    return Event(room.last.seq if room.last else 0, is_final=True, payload={**known, **ended})
