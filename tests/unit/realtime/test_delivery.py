"""Who is sent what of a Task, without sockets and without Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from api.http.client_paths import ClientPaths
from api.realtime import server
from api.realtime.server import Delivery, Event
from api.tasks.answers import TaskProgress
from api.tasks.progress import event_within, without_names
from shared.errors import BadInput, RedisAway
from shared.settings import Settings

TASK = "a" * 32


class Desk:
    """A Task whose record the test writes, and sockets that keep what they were sent."""

    def __init__(self) -> None:
        self.record: Event | None = None
        self.connected = {"one", "two"}
        self.sent: list[tuple[str, Any]] = []
        self.while_reading: Callable[[], None] = lambda: None
        self.while_sending: Callable[[], None] = lambda: None
        self.reads = 0
        self.delivery = Delivery(self._read, self._send, self.connected.__contains__)

    def is_at(self, seq: int, status: str = "running") -> None:
        is_final = status != "running"
        self.record = Event(seq, is_final, {"status": status, "current": seq, "error": None})

    async def heard(self) -> list[tuple[str, Any]]:
        """What is sent when all watched Tasks are looked after, each in its turn."""
        self.sent.clear()
        self.delivery.note_all()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        return self.sent

    async def _read(self, task_id: str) -> Event | None:
        self.reads += 1
        self.while_reading()
        return self.record

    async def _send(self, socket_id: str, payload: dict[str, Any], _record: object) -> None:
        self.while_sending()
        self.sent.append((socket_id, payload))


def _run(script: Callable[[Desk], Awaitable[None]]) -> None:
    async def run() -> None:
        await script(Desk())

    asyncio.run(run())


def test_a_task_that_redis_lost_ends_as_failed_once() -> None:
    async def script(desk: Desk) -> None:
        desk.is_at(5)
        assert await desk.delivery.join("one", TASK)
        desk.record = None
        [(_, payload)] = await desk.heard()
        assert (payload["status"], payload["current"]) == ("failed", 5)
        assert "lost" in payload["error"]
        assert await desk.heard() == []
        assert not await desk.delivery.join("two", TASK), "there is no such task"

    _run(script)


def test_another_reason_to_wait_is_told_although_nothing_else_has_changed() -> None:
    async def script(desk: Desk) -> None:
        def waits_for(place: int | None, status: str = "queued") -> None:
            payload = {"status": status, "place": place, "error": None}
            desk.record = Event(5, status == "completed", payload, place)

        waits_for(2)
        await desk.delivery.join("one", TASK)
        assert await desk.heard() == []
        waits_for(1)
        assert [payload["place"] for _, payload in await desk.heard()] == [1]
        assert await desk.heard() == []
        waits_for(1, "completed")
        assert [payload["status"] for _, payload in await desk.heard()] == ["completed"]
        waits_for(None, "completed")
        assert await desk.heard() == [], "a second end"

    _run(script)


def test_who_joins_in_an_outage_hears_the_state_when_it_is_over() -> None:
    async def script(desk: Desk) -> None:
        desk.is_at(3, "completed")
        desk.while_reading = _away
        with pytest.raises(RedisAway):
            await desk.delivery.join("one", TASK)
        assert await desk.heard() == []
        desk.while_reading = lambda: None
        [(_, payload)] = await desk.heard()
        assert payload["status"] == "completed"
        assert await desk.heard() == []

    _run(script)


def test_an_end_that_could_not_be_sent_is_sent_later_to_everybody() -> None:
    async def script(desk: Desk) -> None:
        desk.is_at(1)
        for socket_id in ("one", "two"):
            await desk.delivery.join(socket_id, TASK)
        desk.is_at(2, "completed")
        desk.while_sending = _away
        assert await desk.heard() == []
        desk.while_sending = lambda: None
        assert [socket_id for socket_id, _ in await desk.heard()] == ["one", "two"]
        assert await desk.heard() == []

    _run(script)


def test_a_lost_task_tells_a_key_with_roots_what_to_do() -> None:
    payload = {"message": "start again", "error": "start again", "current": 0, "total": 0}
    hidden = event_within(ClientPaths(Settings()).within(("/show1",)), None, payload)
    assert (hidden["message"], hidden["error"]) == ("start again", "start again")


def test_who_joins_in_an_outage_in_which_the_task_is_lost_hears_that_once() -> None:
    async def script(desk: Desk) -> None:
        desk.while_reading = _away
        with pytest.raises(RedisAway):
            await desk.delivery.join("one", TASK)
        desk.while_reading = lambda: None
        [(_, payload)] = await desk.heard()
        assert msgspec.convert(payload, TaskProgress).status == "failed"
        assert payload["task_id"] == TASK
        assert "lost" in payload["error"]
        assert await desk.heard() == []

    _run(script)


def test_a_socket_watches_so_many_open_tasks_and_any_number_that_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "MOST_OPEN", 3)

    async def script(desk: Desk) -> None:
        desk.is_at(3, "completed")
        for number in range(5):
            assert await desk.delivery.join("one", f"ended {number}")
        desk.while_reading = _away
        for number in range(3):
            with pytest.raises(RedisAway):
                await desk.delivery.join("one", f"made up {number}")
        with pytest.raises(BadInput, match="may watch 3 open tasks: leave some"):
            await desk.delivery.join("one", "made up 3")
        for again in (("one", "made up 0"), ("two", "made up 3")):
            with pytest.raises(RedisAway):
                await desk.delivery.join(*again)
        assert desk.delivery.leave("one", "made up 0")
        with pytest.raises(RedisAway):
            await desk.delivery.join("one", "made up 3")

    _run(script)


def _away() -> None:
    raise RedisAway("Redis does not answer.")


def test_an_end_is_sent_although_redis_counts_again_after_a_loss() -> None:
    async def script(desk: Desk) -> None:
        desk.is_at(100)
        await desk.delivery.join("one", TASK)
        desk.is_at(98)
        assert await desk.heard() == [], "an older state is never sent"
        desk.is_at(99, "completed")
        [(_, payload)] = await desk.heard()
        assert payload["status"] == "completed"
        assert await desk.heard() == []

    _run(script)


def test_a_socket_that_leaves_while_it_joins_is_not_kept() -> None:
    async def script(desk: Desk) -> None:
        desk.is_at(1)

        def leave() -> None:
            desk.connected.discard("one")
            desk.delivery.forget("one")

        desk.while_reading = leave
        await desk.delivery.join("one", TASK)
        reads = desk.reads
        await desk.heard()
        assert desk.reads == reads, "nobody watches this task"

    _run(script)


def test_whose_task_it_waits_for_is_no_word_for_those_without_a_key() -> None:
    told = {"code": "turn", "message": "Another analysis is running.", "owner": "Bob"}
    payload = {"status": "queued", "waiting_for": told, "owner": "Ann", "client": {"name": "x"}}
    assert without_names(payload) == {
        "status": "queued",
        "waiting_for": {**told, "owner": None},
        "owner": None,
        "client": None,
    }
    assert without_names({"waiting_for": None})["waiting_for"] is None
