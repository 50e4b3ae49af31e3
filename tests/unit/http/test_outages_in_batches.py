"""What is wrong with one thing is its own; what is away for all is not waited for by each."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from anyio.lowlevel import checkpoint
from starlette.requests import ClientDisconnect

from api.exports.timelines.bodies import TimelineBody
from api.exports.timelines.routes import export_timeline
from api.http.client_paths import ClientPaths
from api.http.concurrency import AT_ONCE
from api.http.endpoint import Call
from api.media import thumbnail_routes
from api.media.bodies import SceneThumbnailsBody, ThumbnailsBody
from api.media.thumbnail_routes import StoredPicture, get_scene_thumbnails, get_thumbnails
from shared.clock_times import timestamp
from shared.errors import (
    FolderHangs,
    MediaUnreadable,
    ModelLoading,
    NothingUsable,
    NoWorker,
    RedisAway,
    RushesError,
)
from shared.query.messages import Grabbed, GrabbedFrames, GrabFrames, Lane, Question
from shared.settings import Settings

MANY = 200
FRAMES = {
    "cache_dir": "/c",
    "requests": [{"media_path": "/m/a.mov", "time_seconds": n} for n in range(MANY)],
}
SCENE = {"cache_dir": "/c", "media_path": "/m/a.mov", "start_time": 0, "end_time": MANY}
CLIPS = [{"media_path": f"/m/{n}.mov", "start_time": 0, "end_time": 1} for n in range(MANY)]


class Queries:
    """Answers grabs without any worker; fails from the `after`-th question on."""

    def __init__(self, error: RushesError | None = None, after: int = 0) -> None:
        self.asked = 0
        self.limits: list[float] = []  # seconds that each may take
        self._error, self._after = error, after

    async def ask(
        self, lane: Lane, question: Question, timeout_s: float = 20.0
    ) -> Grabbed | GrabbedFrames:
        self.asked += 1
        self.limits.append(timeout_s)
        fails = self._error is not None and self.asked > self._after
        await checkpoint()
        if fails and self._error is not None:
            raise self._error
        if isinstance(question, GrabFrames):  # a turn is over after the second picture
            first, end = question.seconds
            jpegs = tuple((second, b"jpeg") for second in range(first, min(end, first + 2)))
            return GrabbedFrames(jpegs=jpegs, next=jpegs[-1][0] + 1)
        return Grabbed(jpeg=b"jpeg")


def call_of(queries: Queries, body: Any, gone_after: float = float("inf")) -> tuple[Call[Any], Any]:
    async def nothing_stored(*_: Any) -> None:
        return None

    async def is_gone() -> bool:
        return queries.asked >= gone_after

    async def in_export_folder(_: Any, work: Any, *args: Any) -> Any:
        return work(*args)

    services = SimpleNamespace(
        paths=ClientPaths(Settings.from_env({"RUSHES_REDIS_URL": "unix:///nowhere"})),
        query_client=queries,
        folders=SimpleNamespace(run=nothing_stored),
        in_export_folder=in_export_folder,
    )
    return Call(services.paths, body, {}, {}, is_gone), services


def frames() -> ThumbnailsBody:
    return msgspec.convert(FRAMES, ThumbnailsBody)


def test_without_a_worker_every_frame_says_so_and_few_are_asked_for() -> None:
    queries = Queries(NoWorker(), after=20)
    slots = asyncio.run(get_thumbnails(*call_of(queries, frames()))).thumbnails
    assert [slot.thumbnail is None for slot in slots] == [False] * 20 + [True] * (MANY - 20)
    assert {slot.error for slot in slots[20:]} == {NoWorker().message}
    assert queries.asked <= 20 + AT_ONCE


@pytest.mark.parametrize("error", [RedisAway(), ModelLoading()])
def test_another_outage_ends_the_request(error: RushesError) -> None:
    with pytest.raises(type(error)):
        asyncio.run(get_thumbnails(*call_of(Queries(error), frames())))


def test_a_folder_that_hangs_is_the_error_of_its_own_files() -> None:
    hung = FolderHangs.of("/m")
    slots = asyncio.run(get_thumbnails(*call_of(Queries(hung, after=20), frames()))).thumbnails
    assert [slot.error for slot in slots] == [None] * 20 + [hung.message] * (MANY - 20)
    body = msgspec.convert({"clips": CLIPS[:1]}, TimelineBody)
    with pytest.raises(NothingUsable, match=re.escape(hung.message)):
        asyncio.run(export_timeline(*call_of(Queries(hung), body)))


def pictured(queries: Queries) -> tuple[list[str], list[str]]:
    """Timestamps of a scene's pictures, and what its client is told besides."""
    call, services = call_of(queries, msgspec.convert(SCENE, SceneThumbnailsBody))
    found = asyncio.run(get_scene_thumbnails(call, services)).scene_thumbnails
    return [stamp for _, stamp in found or ()], call.warnings


def test_a_scene_comes_in_turns_and_whole() -> None:
    stamps, warnings = pictured(Queries())
    assert stamps == [timestamp(second) for second in range(MANY)]
    assert warnings == []


def test_what_of_a_scene_cannot_be_had_is_left_out_and_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stamps, warnings = pictured(Queries(MediaUnreadable("It is torn."), after=11))
    assert stamps[0] == "00:00:00"
    assert 2 * 8 < len(stamps) <= 2 * 10
    assert len(warnings) == 1
    assert re.fullmatch(r"Pictures are missing from .*: It is torn\.", warnings[0])
    assert pictured(Queries(NoWorker(), after=11))[1][-1].endswith(NoWorker().message)
    torn = Queries(MediaUnreadable("It is torn."))
    assert pictured(torn) == ([], ["There are no pictures: It is torn."])
    monkeypatch.setattr(thumbnail_routes, "LONGEST_S", 0.0)
    late = Queries()
    stamps, warnings = pictured(late)
    assert len(stamps) < 10
    assert "Ask for less" in warnings[0]
    assert max(late.limits, default=0) <= 1, "no turn takes long beyond the end"


def test_a_file_that_fails_is_not_tried_again_where_stored_pictures_may_stand_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queries = Queries(MediaUnreadable("Reading it took longer than 10 s."))
    call, services = call_of(queries, frames())

    async def beside_cuts(*_: Any) -> list[StoredPicture]:
        return [StoredPicture(b"stored", is_of_shot=False)] * MANY

    monkeypatch.setattr(services.folders, "run", beside_cuts)
    slots = asyncio.run(get_thumbnails(call, services)).thumbnails
    assert {slot.thumbnail for slot in slots} == {thumbnail_routes.text(b"stored")}
    assert queries.asked <= AT_ONCE
    assert max(queries.limits) <= 10


@pytest.mark.parametrize(
    ("handler", "body"),
    [
        (get_thumbnails, frames()),
        (get_scene_thumbnails, msgspec.convert(SCENE, SceneThumbnailsBody)),
        (export_timeline, msgspec.convert({"clips": CLIPS}, TimelineBody)),
    ],
    ids=["frames of one file", "a scene", "a timeline"],
)
def test_nothing_more_is_asked_for_a_client_who_has_left(handler: Any, body: Any) -> None:
    queries = Queries()
    with pytest.raises(ClientDisconnect):
        asyncio.run(handler(*call_of(queries, body, gone_after=20)))
    assert queries.asked < 20 + AT_ONCE
