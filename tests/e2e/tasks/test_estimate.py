"""What an analysis is said to cost, and what it then takes, on one stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.media.media import make_still, picture_video
from tests.support.stack import Client, Stack

CLIPS = 2
CLIP_S = 20


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    """Two days: one clip, and some more with a still."""
    folder = tmp_path_factory.mktemp("footage")
    shots = [(photos["cat"], CLIP_S // 2), (photos["rocket"], CLIP_S // 2)]
    for day, clips in (("day1", 1), ("day2", CLIPS)):
        (folder / day).mkdir()
        for n in range(clips):
            picture_video(folder / day / f"A{n}.mp4", [*shots] * (n + 1))
    make_still(folder / "day2" / "flower.jpg", photos["flower"])
    return folder


def analyzed(client: Client, cache: Path, folder: Path) -> float:
    """Analyze what the server itself names below a folder; how long that took."""
    files = client.ok("/media/files", paths=[str(folder)])["files"]
    record = client.analyzed(cache, *map(Path, files))
    return float(record["finished_at"] - record["created_at"])


def test_an_estimate_comes_near_what_the_analysis_takes(
    stack: Stack, footage: Path, tmp_path: Path
) -> None:
    client, cache = stack.client(), tmp_path / "cache"
    asked = {"cache_dir": str(cache), "speech": False}
    analyzed(client, cache, footage / "day1")
    estimate = client.ok("/analyze/estimate", paths=[str(footage / "day2")], **asked)
    print(estimate)
    took = analyzed(client, cache, footage / "day2")
    print(took)
    assert estimate["files"]["new"] == CLIPS + 1
