"""Segments of one file take turns, so that who plays it cannot keep the others waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from api.media.playback.previews import Previews, SignedPreview
from shared.query.messages import PreviewSegment


class Worker:
    """Stands for query workers: answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.is_asked_for_five = asyncio.Event()
        self.answers = asyncio.Event()

    async def ask(self, _lane: Any, question: Any, _timeout_s: float) -> PreviewSegment:
        self.asked.append((question.path, question.begins // 4))
        if len(self.asked) == 5:
            self.is_asked_for_five.set()
        await self.answers.wait()
        return PreviewSegment(mp4=b"mp4")


def preview(path: str) -> SignedPreview:
    return SignedPreview(path, 1, 1, "key", 100.0, True, False)


def test_four_segments_of_a_file_are_made_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        worker = Worker()
        left: set[int] = set()
        previews = Previews(worker, tmp_path, 0)  # type: ignore[arg-type]

        async def watch(path: str, number: int) -> bytes | None:
            async def is_gone() -> bool:
                return number in left

            return await previews.segment(preview(path), None, number, is_gone)

        async with asyncio.timeout(10), asyncio.TaskGroup() as players:
            watching = [players.create_task(watch("/a", number)) for number in range(6)]
            players.create_task(watch("/b", 0))
            await worker.is_asked_for_five.wait()
            assert ("/b", 0) in worker.asked
            leaves, stays = (n for n in range(6) if ("/a", n) not in worker.asked)
            left.add(leaves)
            assert await watching[leaves] is None
            worker.answers.set()
        assert worker.asked[5:] == [("/a", stays)]

    asyncio.run(play())
