"""What an analysis is said to cost, and what it then takes, on one stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.media.media import make_still, picture_video
from tests.support.stack import Client, Stack

CLIPS = 2
CLIP_S = 20
FACTOR = 3


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    """Two days of clips of real photos; the second has a still, too."""
    folder = tmp_path_factory.mktemp("footage")
    for day, photo in (("day1", "cat"), ("day2", "rocket")):
        (folder / day).mkdir()
        for n in range(CLIPS):
            shots = [(photos[photo], CLIP_S - n - 1), (photos["coffee"], n + 1)]
            picture_video(folder / day / f"{day}-{n}.mp4", shots)
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
    before = analyzed(client, cache, footage / "day1")  # what it is measured on
    estimate = client.ok("/analyze/estimate", paths=[str(footage / "day2")], **asked)
    assert (estimate["files"]["new"], estimate["waits"]) == (CLIPS + 1, None)
    assert estimate["hours"] * 3600 == pytest.approx(CLIP_S * CLIPS, rel=0.02)
    assert estimate["basis"].startswith("Measured on this server: pictures")
    took = analyzed(client, cache, footage / "day2")
    print(f"{estimate['seconds']} s were expected, and it took {before:.1f} s and {took:.1f} s")
    assert max(before, took) < 2.5 * min(before, took), "what else runs here changed too much"
    assert min(before, took) / FACTOR < estimate["seconds"] < max(before, took) * FACTOR
    after = client.ok("/analyze/estimate", paths=[str(footage / "day2")], **asked)
    assert (after["files"]["new"], after["files"]["analyzed"]) == (0, CLIPS + 1)
    listed = client.http.post(
        "/media/folder", json={"path": str(footage), "cache_dir": str(cache)}
    ).json()
    assert [day["analyzed"] for day in listed["folders"]] == [CLIPS, CLIPS + 1]
