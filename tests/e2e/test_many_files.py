"""One request with many files: shared by two workers, one model load each, full batches."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from tests.media import make_clip, make_still
from tests.stack import Client, running_stack


def colours(count: int) -> list[tuple[int, int, int]]:
    chooser = np.random.default_rng(7)
    return [tuple(int(v) for v in chooser.integers(0, 256, 3)) for _ in range(count)]


def worker_stats(client: Client) -> list[dict[str, int]]:
    workers = client.get("/models/loaded").json()["workers"]
    return [worker["stats"] for worker in workers if worker["kind"] == "analysis"]


def test_two_workers_share_200_stills_and_20_clips_with_one_model_load_each(
    tmp_path: Path, redis_url: str
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    stills = [
        make_still(media / f"still {n:03}.jpg", colour=colour)
        for n, colour in enumerate(colours(200))
    ]
    clips = [make_clip(media / f"clip {n:02}.mp4", seconds=2 + n % 3) for n in range(20)]
    with running_stack(tmp_path / "stack", redis_url, analysis=2) as stack:
        client = stack.client()
        record = client.analyzed(tmp_path / "cache", *stills, *clips)
        assert (record["current"], record["total"]) == (220, 220)
        files = client.task(record["task_id"], files=True)["files"]
        assert {file["media_path"] for file in files} == {str(p) for p in (*stills, *clips)}
        assert len({file["worker"] for file in files}) == 2, "both workers took part"
        client.analyzed(tmp_path / "cache 2", *stills[:10])
        stats = worker_stats(client)
    assert [worker["model_loads"] for worker in stats] == [1, 1]
    batches = sum(worker["still_batches"] for worker in stats)
    pictures = sum(worker["still_pictures"] for worker in stats)
    assert pictures == 210
    assert pictures / batches >= 16, f"{pictures} stills in {batches} batches"


def test_ten_thousand_paths_on_a_slow_share_are_accepted_within_two_seconds(
    tmp_path: Path, redis_url: str
) -> None:
    """The API opens none of them: with 20 ms an open it would need 200 s."""
    paths = [f"/mnt/slow share/clip {n:05}.mp4" for n in range(10_000)]
    with running_stack(tmp_path / "stack", redis_url, analysis=0, query=0) as stack:
        client = stack.client()
        began = time.monotonic()
        task_id = client.analyze(tmp_path / "cache", *map(Path, paths))
        assert time.monotonic() - began <= 2
        record = client.task(task_id)
        assert (record["status"], record["total"]) == ("queued", 10_000)
        assert "worker" in record["message"]
        assert client.ok("/analyze/cancel")["cancelled"] is True
