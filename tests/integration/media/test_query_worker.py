"""The real query worker and the Asker: embeddings, pictures and probes over a real Redis."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from shared.errors import (
    BadInput,
    MediaMissing,
    MediaUnreadable,
    ModelError,
    ModelLoading,
    NotAllowed,
    NoWorker,
    RedisAway,
)
from shared.query.ask import Asker
from tests.conftest import PrivateRedis
from tests.support.desk import INSTANCE, MODEL, Desk
from tests.support.media.media import make_clip, make_still, read_bar_code
from tests.support.waiting import wait_for
from workers.media.stills import still_from_bytes

T = TypeVar("T")


@pytest.fixture
def desk(tmp_path: Path, redis_url: str) -> Iterator[Desk]:
    desk = Desk(tmp_path, redis_url)
    yield desk
    desk.close()


def with_asker(url: str, work: Callable[[Asker], Awaitable[T]]) -> T:
    @asynccontextmanager
    async def asker() -> AsyncIterator[Asker]:
        async with Asker(url, INSTANCE) as asker:
            yield asker

    async def run() -> T:
        async with asker() as one:
            return await work(one)

    return asyncio.run(run())


def ask(desk: Desk, lane: Any, timeout_s: float = 20, **payload: Any) -> dict[str, Any]:
    return with_asker(desk.redis_url, lambda asker: asker.ask(lane, payload, timeout_s))


def vectors(answer: dict[str, Any]) -> np.ndarray:
    rows = np.frombuffer(base64.b64decode(answer["vectors"]), np.float32)
    return rows.reshape(answer["rows"], answer["dim"])


def start(desk: Desk, **settings: str) -> None:
    desk.stack.start_worker("query", 0, **settings)

    def ready() -> bool:
        return any(m.model_key for heart in desk.hearts("query") for m in heart.models.values())

    wait_for(ready, 30, f"the query worker with its model; {desk.logs()}")


def test_texts_become_unit_vectors_and_many_askers_share_batches(desk: Desk) -> None:
    start(desk)

    async def many(asker: Asker) -> list[dict[str, Any]]:
        asks = [
            asker.ask("embed", {"model": MODEL, "texts": [f"a dog {n}", "a boat"]}, 20)
            for n in range(40)
        ]
        return await asyncio.gather(*asks)

    answers = with_asker(desk.redis_url, many)
    rows = [vectors(answer) for answer in answers]
    assert all(row.shape[0] == 2 for row in rows)
    assert np.allclose(np.linalg.norm(rows[7], axis=1), 1, atol=1e-4)
    assert np.allclose(rows[0][1], rows[39][1], atol=1e-4)


def test_a_picture_by_path_by_bytes_and_as_a_frame_of_a_file_is_embedded(desk: Desk) -> None:
    still = make_still(desk.folder / "still.png", colour=(30, 160, 60))
    clip = make_clip(desk.folder / "clip.mp4", 3)
    start(desk)
    by_path = vectors(ask(desk, "embed", model=MODEL, image_path=str(still)))
    encoded = base64.b64encode(still.read_bytes()).decode()
    by_bytes = vectors(ask(desk, "embed", model=MODEL, image_b64=encoded))
    frame = vectors(ask(desk, "grab", model=MODEL, path=str(clip), seconds=1.5))
    assert by_path.shape == by_bytes.shape == frame.shape
    assert np.allclose(by_path, by_bytes, atol=1e-3)


def test_the_picture_that_is_shown_at_a_time_is_grabbed(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 3)
    start(desk)
    jpeg = base64.b64decode(ask(desk, "grab", path=str(clip), seconds=1.99, long_side=320)["jpeg"])
    picture = still_from_bytes(jpeg)
    assert (picture.width, picture.height) == (320, 180)
    assert read_bar_code(picture.rgb(320, 180)) == 49


def test_a_file_is_probed(desk: Desk) -> None:
    clip = make_clip(desk.folder / "clip.mp4", 3)
    start(desk)
    found = ask(desk, "probe", path=str(clip))
    assert (found["width"], found["height"], found["fps_rational"]) == (320, 180, "25/1")


def test_errors_of_the_worker_are_raised_by_their_own_class(desk: Desk) -> None:
    root = desk.folder / "media"
    clip = make_clip(root / "clip.mp4", 2)
    noise = root / "noise.mp4"
    noise.write_bytes(os.urandom(20_000))
    outside = make_still(desk.folder / "outside.png")
    start(desk, RUSHES_MEDIA_ROOTS=str(root), RUSHES_CACHE_ROOTS=str(root))
    with pytest.raises(MediaMissing):
        ask(desk, "probe", path=str(root / "none.mp4"))
    with pytest.raises(MediaUnreadable):
        ask(desk, "probe", path=str(noise))
    with pytest.raises(NotAllowed):
        ask(desk, "embed", model=MODEL, image_path=str(outside))
    with pytest.raises(BadInput, match="beyond the end"):
        ask(desk, "grab", path=str(clip), seconds=60)
    with pytest.raises(BadInput, match="base64"):
        ask(desk, "embed", model=MODEL, image_b64="%%%")
    with pytest.raises(MediaUnreadable):
        ask(desk, "embed", model=MODEL, image_b64=base64.b64encode(b"no picture").decode())
    with pytest.raises(ModelError, match="no-such-model"):
        ask(desk, "embed", model="no-such-model", texts=["x"])


def test_an_ask_or_an_answer_of_another_version_ends_no_lane(desk: Desk) -> None:
    start(desk)
    for lane in ("embed", "grab", "grab", "probe", "probe"):
        ask_id = f"{lane}-of-another-version"
        desk.client.set(f"rushes:{INSTANCE}:ask:{ask_id}", '{"form": 2}', ex=20)
        desk.client.lpush(f"rushes:{INSTANCE}:asks:{lane}", ask_id)
    clip = make_clip(desk.folder / "clip.mp4", 1)

    async def probe(asker: Asker) -> dict[str, Any]:
        desk.client.rpush(asker._replies, '{"form": 2}')
        return await asker.ask("probe", {"path": str(clip)}, 5)

    assert with_asker(desk.redis_url, probe)["media_type"] == "video"
    assert ask(desk, "embed", 5, model=MODEL, texts=["a"])["rows"] == 1
    assert ask(desk, "grab", 5, path=str(clip), seconds=0)["jpeg"]


def test_without_a_query_worker_the_answer_is_no_worker_at_once(desk: Desk) -> None:
    asked_at = time.monotonic()
    with pytest.raises(NoWorker):
        ask(desk, "embed", model=MODEL, texts=["x"])
    assert time.monotonic() - asked_at < 1


def test_a_model_that_is_not_loaded_is_loading_not_waited_for(desk: Desk) -> None:
    desk.stack.start_worker("query", 0, RUSHES_VISUAL_MODEL="ViT-B-32--openai")
    wait_for(lambda: desk.hearts("query"), 30, "the query worker")
    with pytest.raises(ModelLoading):
        ask(desk, "embed", model=MODEL, texts=["x"])

    def loaded() -> bool:
        try:
            return bool(ask(desk, "embed", model=MODEL, texts=["x"]))
        except ModelLoading:
            return False

    wait_for(loaded, 20, "the model that was named", every_s=0.2)


def test_texts_never_wait_behind_slow_pictures(desk: Desk) -> None:
    hanging = desk.folder / "pipe.mp4"
    os.mkfifo(hanging)
    start(desk)

    async def both(asker: Asker) -> float:
        slow = [
            asyncio.ensure_future(asker.ask("grab", {"path": str(hanging), "seconds": 0}, 6))
            for _ in range(8)
        ]
        asked_at = time.monotonic()
        await asker.ask("embed", {"model": MODEL, "texts": ["a text meanwhile"]}, 5)
        took = time.monotonic() - asked_at
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return took

    assert with_asker(desk.redis_url, both) < 2


def test_redis_away_is_said_at_once_and_the_asker_and_the_worker_survive_it(
    tmp_path: Path, own_redis: PrivateRedis
) -> None:
    desk = Desk(tmp_path, own_redis.url)
    start(desk)

    async def through_a_restart(asker: Asker) -> dict[str, Any]:
        payload = {"model": MODEL, "texts": ["before and after"]}
        await asker.ask("embed", payload, 10)
        own_redis.stop()
        with pytest.raises(RedisAway):
            await asker.ask("embed", payload, 10)
        own_redis.start()
        await asyncio.to_thread(wait_for, lambda: desk.hearts("query"), 10, "its heartbeat")
        return await asker.ask("embed", payload, 10)

    try:
        assert vectors(with_asker(desk.redis_url, through_a_restart)).shape[0] == 1
    finally:
        desk.close()


def test_sigterm_ends_the_query_worker_and_its_children(desk: Desk) -> None:
    start(desk)
    process = desk.stack.processes["query-0"]
    children = _children(process.popen.pid)
    assert children
    assert process.end(timeout_s=8) == 0
    wait_for(lambda: not any(map(_is_alive, children)), 5, "the children's end")


def test_children_end_with_a_killed_query_worker(desk: Desk) -> None:
    start(desk)
    process = desk.stack.processes["query-0"]
    children = _children(process.popen.pid)
    os.kill(process.popen.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(_is_alive, children)), 5, "the children's end")


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] + [
        int(p)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for p in (task / "children").read_text().split()
        if task.name != str(pid)
    ]


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
