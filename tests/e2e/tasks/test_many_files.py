"""One request with many files: shared by two workers, one model load each, full batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shared.redis import heartbeats
from shared.redis.clients import connect
from tests.support.media.media import make_clip, make_still
from tests.support.stack import running_stack
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for


def colours(count: int) -> list[tuple[int, int, int]]:
    chooser = np.random.default_rng(7)
    return [tuple(int(v) for v in chooser.integers(0, 256, 3)) for _ in range(count)]


def worker_stats(redis_url: str) -> list[dict[str, int]]:
    """What the live analysis workers counted since their start."""
    return [beat.stats for beat in heartbeats.live(connect(redis_url), "default", "analysis")]


def total(stats: list[dict[str, int]], name: str) -> int:
    return sum(worker.get(name, 0) for worker in stats)


def test_two_workers_share_100_stills_and_10_clips_with_one_model_load_each(
    tmp_path: Path, redis_url: str
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    stills = [
        make_still(media / f"still {n:03}.jpg", colour=colour)
        for n, colour in enumerate(colours(100))
    ]
    clips = [make_clip(media / f"clip {n:02}.mp4", seconds=2 + n % 3) for n in range(10)]
    with running_stack(tmp_path / "stack", redis_url, query=0, analysis=2) as stack:
        client = stack.client()
        record = client.analyzed(tmp_path / "cache", *stills, *clips)
        assert (record["current"], record["total"]) == (110, 110)
        files = client.task(record["task_id"], files=True)["files"]
        assert {file["media_path"] for file in files} == {str(p) for p in (*stills, *clips)}
        assert len({file["worker"] for file in files}) == 2, "both workers took part"
        client.analyzed(tmp_path / "cache 2", *stills[:10])  # in one batch of its own
        stats = wait_for(
            lambda: (
                (now := worker_stats(redis_url)) and total(now, "still_pictures") == 110 and now
            ),
            10,
            "the heartbeats to tell of all stills",
        )
    assert [worker["model_loads"] for worker in stats] == [1, 1]
    mean = total(stats, "still_pictures") / total(stats, "still_batches")
    assert mean >= 16, f"{mean:.1f} stills a batch"


def test_ten_thousand_paths_are_accepted_within_two_seconds_and_none_of_them_is_opened(
    tmp_path: Path, redis_url: str
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    paths = [share / f"clip {n:05}.mp4" for n in range(10_000)]
    for path in paths:
        path.touch()
    opened = tmp_path / "opened"
    noting = {"NOTED": str(share), "NOTES": str(opened)}
    with running_stack(tmp_path / "stack", redis_url, apis=0, analysis=0, query=0) as stack:
        client = stack.start_api("tests.support.programs.api_that_notes_what_it_opens", **noting)
        stopwatch = Stopwatch(stack)
        task_id = client.analyze(tmp_path / "cache", *paths)
        assert stopwatch.seconds() <= 2
        record = client.task(task_id)
        assert (record["status"], record["total"]) == ("queued", 10_000)
        assert "worker" in record["message"]
        assert client.ok("/analyze/cancel")["cancelled"] is True
    assert not opened.exists(), "the request opened files on the share"
