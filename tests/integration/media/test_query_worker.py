"""The real query worker and the QueryClient: embeddings, pictures and probes over a real Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from api.query_client import QueryClient
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
from shared.query.messages import (
    Embedded,
    EmbedFrame,
    EmbedPicture,
    EmbedTexts,
    Grabbed,
    GrabFrame,
    Lane,
    Probed,
    ProbeFile,
)
from tests.support.analysis.desk import INSTANCE, MODEL, Desk
from tests.support.analysis.desk_fixtures import worker_of_file
from tests.support.media.media import make_clip, make_still, read_bar_code
from tests.support.private_redis import PrivateRedis
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for
from workers.media.stills import still_from_bytes

T = TypeVar("T")


def with_client(url: str, work: Callable[[QueryClient], Awaitable[T]]) -> T:
    @asynccontextmanager
    async def client() -> AsyncIterator[QueryClient]:
        async with QueryClient(url, INSTANCE) as client:
            yield client

    async def run() -> T:
        async with client() as one:
            return await work(one)

    return asyncio.run(run())


def ask(desk: Desk, lane: Lane, question: Any, timeout_s: float = 20) -> Any:
    return with_client(desk.redis_url, lambda client: client.ask(lane, question, timeout_s))


def texts(*texts: str) -> EmbedTexts:
    return EmbedTexts(model=MODEL, texts=texts)


def grab(path: Path, seconds: float) -> GrabFrame:
    return GrabFrame(path=str(path), seconds=seconds, long_side=320)


def start(desk: Desk, **settings: str) -> None:
    desk.stack.start_worker("query", 0, **settings)

    def ready() -> bool:
        return any(m.model_key for heart in desk.hearts("query") for m in heart.models.values())

    wait_for(ready, 30, f"the query worker with its model; {desk.logs()}")


first = worker_of_file(start)


def test_texts_become_unit_vectors_and_many_clients_share_batches(shared: Desk) -> None:

    async def many(client: QueryClient) -> list[Embedded]:
        asks = [client.ask(Lane.EMBED, texts(f"a dog {n}", "a boat")) for n in range(40)]
        return await asyncio.gather(*asks)

    answers = with_client(shared.redis_url, many)
    rows = [answer.as_array() for answer in answers]
    assert all(row.shape[0] == 2 for row in rows)
    assert np.allclose(np.linalg.norm(rows[7], axis=1), 1, atol=1e-4)
    assert np.allclose(rows[0][1], rows[39][1], atol=1e-4)


def test_a_question_over_the_bounds_is_refused_whoever_asked_it(shared: Desk) -> None:
    with pytest.raises(BadInput, match="1,000 texts; ask for at most 101"):
        ask(shared, Lane.EMBED, texts(*["a"] * 1_000))
    with pytest.raises(BadInput, match="at most 10,000 characters"):
        ask(shared, Lane.EMBED, texts("x" * 8_000_000))
    assert ask(shared, Lane.EMBED, texts(*["a"] * 101)).rows == 101


def test_a_picture_by_path_by_bytes_and_as_a_frame_of_a_file_is_embedded(shared: Desk) -> None:
    still = make_still(shared.folder / "still.png", colour=(30, 160, 60))
    clip = make_clip(shared.folder / "clip.mp4", 3)
    of_path = EmbedFrame(model=MODEL, path=str(still))
    of_bytes = EmbedPicture(model=MODEL, image=still.read_bytes())
    of_frame = EmbedFrame(model=MODEL, path=str(clip), seconds=1.5)
    by_path, by_bytes, frame = (
        ask(shared, Lane.GRAB, question).as_array() for question in (of_path, of_bytes, of_frame)
    )
    assert by_path.shape == by_bytes.shape == frame.shape
    assert np.allclose(by_path, by_bytes, atol=1e-3)


def test_the_picture_that_is_shown_at_a_time_is_grabbed(shared: Desk) -> None:
    clip = make_clip(shared.folder / "clip.mp4", 3)
    grabbed: Grabbed = ask(shared, Lane.GRAB, grab(clip, 1.99))
    picture = still_from_bytes(grabbed.jpeg)
    assert (picture.width, picture.height) == (320, 180)
    assert read_bar_code(picture.rgb(320, 180)) == 49


def test_a_file_is_probed(shared: Desk) -> None:
    clip = make_clip(shared.folder / "clip.mp4", 3)
    found: Probed = ask(shared, Lane.PROBE, ProbeFile(path=str(clip)))
    assert (found.width, found.height, found.fps_rational) == (320, 180, "25/1")


def test_errors_of_the_worker_are_raised_by_their_own_class(desk: Desk) -> None:
    root = desk.folder / "media"
    clip = make_clip(root / "clip.mp4", 2)
    noise = root / "noise.mp4"
    noise.write_bytes(os.urandom(20_000))
    outside = make_still(desk.folder / "outside.png")
    start(desk, RUSHES_MEDIA_ROOTS=str(root), RUSHES_CACHE_ROOTS=str(root))
    with pytest.raises(MediaMissing):
        ask(desk, Lane.PROBE, ProbeFile(path=str(root / "none.mp4")))
    with pytest.raises(MediaUnreadable):
        ask(desk, Lane.PROBE, ProbeFile(path=str(noise)))
    with pytest.raises(NotAllowed):
        ask(desk, Lane.GRAB, EmbedFrame(model=MODEL, path=str(outside)))
    with pytest.raises(BadInput, match="beyond the end"):
        ask(desk, Lane.GRAB, grab(clip, 60))
    with pytest.raises(BadInput, match="no text"):
        ask(desk, Lane.EMBED, texts())
    with pytest.raises(MediaUnreadable):
        ask(desk, Lane.GRAB, EmbedPicture(model=MODEL, image=b"no picture"))
    with pytest.raises(ModelError, match="no-such-model"):
        ask(desk, Lane.EMBED, EmbedTexts(model="no-such-model", texts=("x",)))


def test_an_ask_or_an_answer_of_another_version_ends_no_lane(shared: Desk) -> None:
    no_base64 = {"type": "embed_picture", "model": MODEL, "image_b64": "%%%"}
    untagged = {"path": "/a.mp4"}
    wrapped = {"ask_id": "x", "reply_to": "y", "within_s": 20}
    others = [json.dumps({**wrapped, "payload": payload}) for payload in (no_base64, untagged)]
    for n, (lane, other) in enumerate(product(Lane, ('{"form": 2}', '{"form": 2}', *others))):
        ask_id = f"{n}-of-another-version"
        shared.client.set(f"rushes:{INSTANCE}:ask:{ask_id}", other, ex=20)
        shared.client.lpush(f"rushes:{INSTANCE}:asks:{lane}", ask_id)
    clip = make_clip(shared.folder / "clip.mp4", 1)

    async def probe(client: QueryClient) -> Probed:
        shared.client.rpush(client._replies, '{"form": 2}')
        return await client.ask(Lane.PROBE, ProbeFile(path=str(clip)), 5)

    assert with_client(shared.redis_url, probe).media_type == "video"
    assert ask(shared, Lane.EMBED, texts("a"), 5).rows == 1
    assert ask(shared, Lane.GRAB, grab(clip, 0), 5).jpeg


def test_without_a_query_worker_the_answer_is_no_worker_at_once(desk: Desk) -> None:
    stopwatch = Stopwatch()
    with pytest.raises(NoWorker):
        ask(desk, Lane.EMBED, texts("x"))
    assert stopwatch.seconds() < 1


def test_a_model_that_is_not_loaded_is_loading_not_waited_for(desk: Desk) -> None:
    desk.stack.start_worker("query", 0, RUSHES_VISUAL_MODEL="ViT-B-32--openai")
    wait_for(lambda: desk.hearts("query"), 30, "the query worker")
    with pytest.raises(ModelLoading):
        ask(desk, Lane.EMBED, texts("x"))

    def loaded() -> bool:
        try:
            return bool(ask(desk, Lane.EMBED, texts("x")))
        except ModelLoading:
            return False

    wait_for(loaded, 20, "the model that was named", every_s=0.2)


def test_texts_never_wait_behind_slow_pictures(desk: Desk) -> None:
    hanging = desk.folder / "pipe.mp4"
    os.mkfifo(hanging)
    start(desk)

    async def both(client: QueryClient) -> float:
        slow = [asyncio.ensure_future(client.ask(Lane.GRAB, grab(hanging, 0), 6)) for _ in range(8)]
        stopwatch = Stopwatch(desk.stack)
        await client.ask(Lane.EMBED, texts("a text meanwhile"), 5)
        took = stopwatch.seconds()
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return took

    assert with_client(desk.redis_url, both) < 2


def test_redis_away_is_said_at_once_and_the_client_and_the_worker_survive_it(
    tmp_path: Path, own_redis: PrivateRedis
) -> None:
    desk = Desk(tmp_path, own_redis.url)
    start(desk)

    async def through_a_restart(client: QueryClient) -> Embedded:
        question = texts("before and after")
        await client.ask(Lane.EMBED, question, 10)
        own_redis.stop()
        with pytest.raises(RedisAway):
            await client.ask(Lane.EMBED, question, 10)
        own_redis.start()
        await asyncio.to_thread(wait_for, lambda: desk.hearts("query"), 10, "its heartbeat")
        return await client.ask(Lane.EMBED, question, 10)

    try:
        assert with_client(desk.redis_url, through_a_restart).rows == 1
    finally:
        desk.close()


def test_sigterm_ends_the_query_worker_and_its_children(desk: Desk) -> None:
    start(desk)
    process = desk.stack.processes["query-0"]
    children = wait_for(lambda: _decoding_children(process.popen.pid), 20, "the worker's children")
    assert process.end(timeout_s=8) == 0
    wait_for(lambda: not any(map(_is_alive, children)), 5, "the children's end")


def test_children_end_with_a_killed_query_worker(desk: Desk) -> None:
    start(desk)
    process = desk.stack.processes["query-0"]
    children = wait_for(lambda: _decoding_children(process.popen.pid), 20, "the worker's children")
    os.kill(process.popen.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(_is_alive, children)), 5, "the children's end")


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def _decoding_children(worker: int) -> list[int]:
    """Return the descendants of the worker once its children for pictures and probes run."""
    found = _descendants(worker)
    return found if len(found) >= 4 else []


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
