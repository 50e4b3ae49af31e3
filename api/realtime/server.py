"""Socket.IO: join a Task, be sent its progress. One plain server and one subscriber a process.

The rooms `watch-folders` and `tasks` are joined in the same way, with a key; they are sent the
watch status, and that some Task has changed.

Replay and live progress are one path (Delivery), which knows neither Socket.IO nor Redis: a socket
is sent the newest state, never an older one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import socketio
from engineio.packet import NOOP, Packet
from redis.exceptions import RedisError
from socketio.exceptions import ConnectionRefusedError as Refused
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp

from api.async_tasks import end
from api.http.auth import Access
from api.http.body_reading import BodyBudget
from api.http.connections import RequestBodies
from api.http.errors import KeyMissing, verdict
from api.http.services import CoreServices
from api.own_pages import BrowserSession
from api.realtime.events import TASKS_ROOM
from api.tasks import progress
from api.tasks.progress import no_worker
from api.watch import status
from api.watch.answers import WatchStatus
from api.watch.status import WatchServices
from shared.domain import TaskKind
from shared.errors import BadInput, Missing, RedisAway, RushesError, Unavailable
from shared.ledger.ledger import progress_channel
from shared.ledger.records import TaskRecord
from shared.redis.clients import connect_async
from shared.rights import KeyScope
from shared.watch.live import ROOM

MOST_OPEN = 1_000  # Tasks that one socket watches and that have not ended
TASK_EVERY_S = 0.25  # at most four events a second per Task; of some rooms fewer
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
log = logging.getLogger(__name__)
POLL_S = 2.0  # for what a lost message did not say
KEY_CHECK_S = 60.0
LARGEST_MESSAGE = 1 << 16  # of a client, which says no more than what to join
_RECONNECT_S = 0.5
_LONGEST_ID = 64
# Rooms that are no Task's, and the scope that a key must have to join.
_ROOMS = {ROOM: KeyScope.WATCH, TASKS_ROOM: None}
_MADE_HERE = re.compile("[0-9a-f]{32}")  # see records.new_task_id
EVERY_S = 1.0  # at most one event a second


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
SendPayload = Callable[[str, dict[str, Any], TaskRecord | None], Awaitable[None]]
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
        send: SendPayload,
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
            pause_s = self._pauses_s.get(room.task_id, TASK_EVERY_S)
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


class Realtime:
    """`async with realtime`: its loops run; `beside(app)` puts it on the port of `app`."""

    def __init__(self, services: WatchServices, access: Access) -> None:
        self._services = services
        self._access = access
        # Origins are checked by our own middleware, for HTTP and sockets alike.
        self._server = socketio.AsyncServer(
            async_mode="asgi", cors_allowed_origins=[], max_http_buffer_size=LARGEST_MESSAGE
        )
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._disconnect)
        self._server.on("join", self._join)
        self._server.on("leave", self._leave)
        _end_polls(self._server.eio)
        self._delivery = Delivery(
            self._read, self._send, self._is_there, pauses_s={TASKS_ROOM: EVERY_S}
        )
        # Socket id -> the key it came with, or the session of a browser.
        self._keys: dict[str, str | BrowserSession] = {}
        self._rooted: dict[
            str, WatchServices
        ] = {}  # socket id -> what its key's roots leave of them
        self._watch_events = WatchEvents()
        self._task_events = TaskEvents()
        self._loops: list[asyncio.Task[None]] = []

    def beside(self, app: ASGIApp) -> ASGIApp:
        """`app`, with Socket.IO at /socket.io/."""
        combined: ASGIApp = socketio.ASGIApp(self._server, other_asgi_app=app)
        return RequestBodies(combined, "/socket.io/", BodyBudget.of_sockets(LARGEST_MESSAGE))

    async def __aenter__(self) -> Realtime:
        self._loops = [
            asyncio.create_task(loop, name=f"realtime-{name}")
            for name, loop in (
                ("listen", self._listen()),
                ("poll", self._poll()),
                ("keys", self._check_keys()),
            )
        ]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await end(*self._loops)
        await self._server.shutdown()

    async def _connect(
        self, socket_id: str, environ: Any = None, auth: Any = None, *_more: object
    ) -> None:
        if environ is not self._server.get_environ(socket_id):
            return  # an event that a client calls so
        key = auth.get("license_key") if isinstance(auth, dict) else None
        key = environ.get("HTTP_X_LICENSE_KEY", "").strip() or key
        if not key:
            key = self._access.pages.session(Headers(scope=environ["asgi.scope"]))
        if not key and self._services.settings.socket_auth == "optional":
            return
        try:
            if not key:
                raise KeyMissing(
                    "RUSHES_SOCKET_AUTH=required: send auth.license_key or X-License-Key."
                )
            record = await self._access.authorise(key)
        except RushesError as error:
            raise Refused(error.message, _as_error(error)) from None
        if isinstance(key, BrowserSession):
            key = replace(key, is_use=False)
        self._keys[socket_id] = key
        if record.roots is not None:
            self._rooted[socket_id] = self._services.within(record.roots, record.id)

    async def _disconnect(self, socket_id: str, *_reason: object) -> None:
        if self._is_there(socket_id):
            return  # an event that a client calls so
        self._keys.pop(socket_id, None)
        self._rooted.pop(socket_id, None)
        self._delivery.forget(socket_id)

    async def _join(self, socket_id: str, data: Any = None, *_more: object) -> dict[str, str]:
        """Return the acknowledgement: what was joined, or the error."""
        try:
            task_id = _task_id_of(data)
            if task_id in _ROOMS:
                await self._check_room(socket_id, task_id)
            may_be = task_id in _ROOMS or _MADE_HERE.fullmatch(task_id)
            if not may_be or not await self._delivery.join(socket_id, task_id):
                raise Missing(f"There is no task {task_id}.")
        except RedisAway:
            told = "Joined. Redis does not answer just now: the latest state comes when it does."
            return {"message": told, "task_id": task_id}
        except RushesError as error:
            return _as_error(error)
        return {"message": "Joined.", "task_id": task_id}

    async def _check_room(self, socket_id: str, room: str) -> None:
        """Raise KeyMissing or ScopeMissing unless a socket may hear of watch folders, or tasks."""
        if socket_id not in self._keys:
            raise KeyMissing(
                f"The room {room} needs a licence key: connect with auth.license_key or the "
                "X-License-Key header."
            )
        await self._access.authorise(self._keys[socket_id], _ROOMS[room])

    async def _leave(self, socket_id: str, data: Any = None, *_more: object) -> dict[str, str]:
        try:
            task_id = _task_id_of(data)
        except RushesError as error:
            return _as_error(error)
        left = self._delivery.leave(socket_id, task_id)
        return {"message": "Left." if left else "It was not joined.", "task_id": task_id}

    async def _send(
        self, socket_id: str, payload: dict[str, Any], record: TaskRecord | None
    ) -> None:
        if socket_id not in self._keys and payload["task_id"] not in _ROOMS:
            payload = progress.without_names(payload)
        services = self._rooted.get(socket_id)
        if services and payload["task_id"] == ROOM:
            payload = watch_payload(await run_in_threadpool(status.status, services))
        elif services and payload["task_id"] != TASKS_ROOM:
            payload = progress.event_within(services.paths, record, payload)
        await self._server.emit("progress", payload, to=socket_id)

    def _is_there(self, socket_id: str) -> bool:
        return bool(self._server.manager.is_connected(socket_id, "/"))

    async def _read(self, task_id: str) -> Event | None:
        if task_id == ROOM:
            found = await run_in_threadpool(status.status, self._services)
            return self._watch_events.event(found)
        if task_id == TASKS_ROOM:
            return await run_in_threadpool(self._task_events.event, self._services)
        return await run_in_threadpool(_event, self._services, task_id)

    async def _listen(self) -> None:
        """Hear of changes in all processes, for ever; a Redis that is away is waited for."""
        url = self._services.settings.redis_url
        assert url is not None
        client = connect_async(url)
        name = progress_channel(self._services.settings.instance)
        try:
            while True:
                with contextlib.suppress(RedisError, OSError):
                    async with client.pubsub() as channel:
                        await channel.subscribe(name)
                        self._task_events.note_change()
                        self._delivery.note_all()  # what was said while nobody listened
                        await self._hear(channel)
                await asyncio.sleep(_RECONNECT_S)
        finally:
            await client.aclose()

    async def _hear(self, channel: Any) -> None:
        while True:
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=1.0)
            if message is not None:
                self._task_events.note_change()
                self._delivery.note_change(message["data"])
                self._delivery.note_change(TASKS_ROOM)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            self._delivery.note_all()

    async def _check_keys(self) -> None:
        """Sockets whose key was revoked, or whose session has ended, are put out."""
        while True:
            await asyncio.sleep(KEY_CHECK_S)
            for socket_id, key in list(self._keys.items()):
                if not self._is_there(socket_id):  # it left while it was let in
                    self._keys.pop(socket_id, None)
                    self._rooted.pop(socket_id, None)
                    continue
                try:
                    await self._access.authorise(key)
                except Unavailable:
                    break  # Redis is away: nobody is judged
                except RushesError:
                    log.info("A socket's key or session is no more; it is disconnected.")
                    await self._server.disconnect(socket_id)


def _end_polls(engine: Any) -> None:
    """Answer the pending poll of a client that says goodbye.

    engineio 4 leaves it open, so such a client hangs for 30 s and holds our shutdown up.
    """
    leave = engine.handlers["disconnect"]

    async def disconnect(socket_id: str, reason: str) -> None:
        await leave(socket_id, reason)
        if reason == engine.reason.CLIENT_DISCONNECT and engine.transport(socket_id) == "polling":
            await engine.send_packet(socket_id, Packet(NOOP))

    engine.on("disconnect", disconnect)


def _event(services: WatchServices, task_id: str) -> Event | None:
    record = services.ledger.record(task_id)
    if record is None:
        return None
    reason = progress.reason_of(services, record)
    payload = progress.event(services.paths, record, reason)
    ends = progress.type_ends(record, payload)
    return Event(record.seq, record.status.is_final, payload, (reason, record.place), ends, record)


def _task_id_of(data: Any) -> str:
    """The bare string, `{"task_id": …}`, or `{"room": …}`."""
    task_id = data.get("task_id") or data.get("room") if isinstance(data, dict) else data
    if not isinstance(task_id, str) or not 0 < len(task_id) <= _LONGEST_ID:
        raise BadInput('Send a task_id: the string itself, or {"task_id": …}.')
    return task_id


def _as_error(error: RushesError) -> dict[str, str]:
    body = verdict(error)[1]
    return {"error": body.error, "message": body.message}


class TaskEvents:
    """Payloads of the room `tasks`, numbered by this process in the order of what it heard."""

    def __init__(self) -> None:
        self._seq = 0
        self._has_changed = True
        self._last: object = None

    def note_change(self) -> None:
        """Some task has changed."""
        self._has_changed = True

    def event(self, services: CoreServices) -> Event:
        """The event for what is heard by now; newer than the last one if there is any news. Blocks.

        Workers that come and go change why tasks wait, and nobody says so.
        """
        has_changed, self._has_changed = self._has_changed, False
        seen = (
            services.task_lists.count_open(),
            [no_worker(services, kind) is None for kind in TaskKind],
        )
        if has_changed or seen != self._last:
            self._last = seen
            self._seq += 1
        payload = {"task_id": TASKS_ROOM, "type": "tasks", "open": seen[0], "seq": self._seq}
        return Event(self._seq, is_final=False, payload=payload)


def watch_payload(found: WatchStatus) -> dict[str, Any]:
    """Return the payload of the room for a status."""
    return {"task_id": ROOM, "type": "ingest", **msgspec.to_builtins(found)}


class WatchEvents:
    """Payloads of the room `watch-folders`, numbered in the order in which they differ.

    The number is this process's own: one from Redis would begin again when Redis comes up empty,
    and what has come from elsewhere (the lock) does not count it up.
    """

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}
        self._seq = 0

    def event(self, found: WatchStatus) -> Event:
        """The event for this status; newer than the last one if it says something else."""
        payload = watch_payload(found)
        if payload != self._last:
            self._last = payload
            self._seq += 1
        return Event(self._seq, is_final=False, payload=payload)
