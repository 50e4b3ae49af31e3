"""Queries that wait together are embedded together: the real worker, lite model and Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from api.query_client import QueryClient
from shared.errors import ModelError, NoWorker
from shared.query.messages import Embedded, EmbedTexts, Lane, lane_key
from tests.support.analysis.desk import INSTANCE, MODEL, Desk
from tests.support.lite_models import lite_model
from tests.support.waiting import wait_for
from workers.query.embed import MAX_BATCH

T = TypeVar("T")


@dataclass
class Noting:
    """A query worker that notes its batches, and can be held up while others come."""

    desk: Desk
    notes: Path
    release: Path

    def start(self, number: int = 0) -> None:
        command = ("-m", "tests.support.programs.query_that_notes_batches")
        notes = {"NOTES": str(self.notes), "RELEASE": str(self.release)}
        self.desk.stack.start(f"query-{number}", *command, **notes)

        def ready() -> bool:
            hearts = self.desk.hearts("query")
            return any(one.model_key for heart in hearts for one in heart.models.values())

        wait_for(ready, 30, f"the query worker with its model; {self.desk.logs()}")

    def batches(self) -> list[list[str]]:
        found = [json.loads(line) for line in self.notes.read_text().splitlines()]
        return [texts for texts in found if texts != ["warm-up"]]

    def run(self, work: Callable[[QueryClient], Awaitable[T]]) -> T:
        async def run() -> T:
            async with QueryClient(self.desk.redis_url, INSTANCE) as client:
                return await work(client)

        return asyncio.run(run())

    async def hold(self, client: QueryClient) -> asyncio.Task[Embedded]:
        """Keep the model busy."""
        held = asyncio.create_task(asked(client, "hold"))
        await until(lambda: ["hold"] in self.batches(), "the model to be busy")
        return held

    async def wait_together(self, client: QueryClient, *texts: str) -> list[asyncio.Task[Embedded]]:
        """Ask for each; returns when the worker has taken what it takes."""
        tasks = [asyncio.create_task(asked(client, text)) for text in texts]
        await until(lambda: len(client._waiting) > len(texts), "the questions to be asked")
        left = max(0, len(texts) - MAX_BATCH - 1)  # one is in the hands of who fills the queue
        key = lane_key(INSTANCE, Lane.EMBED)
        await until(lambda: self.desk.client.llen(key) == left, "them to be taken")
        return tasks


async def asked(client: QueryClient, text: str, timeout_s: float = 20) -> Embedded:
    return await client.ask(Lane.EMBED, EmbedTexts(model=MODEL, texts=(text,)), timeout_s)


async def until(condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_for, condition, 20, what)


@pytest.fixture
def worker(tmp_path: Path, redis_url: str) -> Iterator[Noting]:
    desk = Desk(tmp_path, redis_url)
    worker = Noting(desk, tmp_path / "notes", tmp_path / "release")
    worker.start()
    yield worker
    desk.close()


def test_what_waits_together_is_one_batch_with_the_rows_of_each_alone(worker: Noting) -> None:
    texts = [f"{number} dogs on a beach" + " at night" * (number % 5) for number in range(40)]

    async def work(client: QueryClient) -> list[Embedded]:
        held = await worker.hold(client)
        tasks = await worker.wait_together(client, *texts)
        worker.release.touch()
        await held
        return await asyncio.gather(*tasks)

    rows = [answer.as_array()[0] for answer in worker.run(work)]
    together = worker.batches()[1:]
    assert len(together[0]) == MAX_BATCH
    assert max(map(len, together)) == MAX_BATCH, "and never more"
    assert sorted(text for batch in together for text in batch) == sorted(texts)
    alone = np.concatenate([lite_model().embed_texts([text]) for text in texts])
    np.testing.assert_allclose(rows, alone, atol=1e-6)


def test_one_text_that_fails_the_model_fails_alone(worker: Noting) -> None:
    async def work(client: QueryClient) -> list[Embedded | BaseException]:
        held = await worker.hold(client)
        tasks = await worker.wait_together(client, "a cat", "it breaks", "a dog")
        worker.release.touch()
        await held
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = worker.run(work)
    assert isinstance(second, ModelError)
    assert "no room for this text" in second.message
    for answer, text in ((first, "a cat"), (third, "a dog")):
        assert isinstance(answer, Embedded)
        np.testing.assert_allclose(answer.as_array(), lite_model().embed_texts([text]), atol=1e-6)


def test_nothing_is_embedded_for_who_has_given_up_and_who_leaves_disturbs_nobody(
    worker: Noting,
) -> None:
    async def work(client: QueryClient) -> Embedded:
        held = await worker.hold(client)
        (stays, leaves) = await worker.wait_together(client, "a cat", "a dog")
        with pytest.raises(NoWorker):
            await asked(client, "too late", timeout_s=0.2)
        leaves.cancel()
        worker.release.touch()
        await held
        return await stays

    assert worker.run(work).rows == 1
    assert not any("too late" in batch for batch in worker.batches())


def test_questions_in_a_batch_whose_worker_is_killed_are_asked_again(worker: Noting) -> None:
    texts = ("a cat", "a dog", "a boat")

    async def work(client: QueryClient) -> list[Embedded]:
        held = await worker.hold(client)
        tasks = await worker.wait_together(client, *texts)
        worker.desk.stack.processes["query-0"].kill()
        worker.release.touch()
        await asyncio.to_thread(worker.start, 1)
        return await asyncio.gather(held, *tasks)

    answers = worker.run(work)
    expected = [lite_model().embed_texts([text]) for text in ("hold", *texts)]
    np.testing.assert_allclose([answer.as_array() for answer in answers], expected, atol=1e-6)
