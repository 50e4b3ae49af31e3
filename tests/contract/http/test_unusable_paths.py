"""A path that can be used by none fails in its own slot, in every list of every operation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.http.test_unknown_fields import warned
from tests.support.stack import Client

UNUSABLE = ("", "D:\\footage\\a.mov", "\\\\nas\\footage\\a.mov", "a.mov", "a\0b")


@pytest.fixture
def cache(caches: Path) -> str:
    folder = caches / "unusable"
    folder.mkdir(exist_ok=True)
    return str(folder)


@pytest.mark.parametrize("path", UNUSABLE)
def test_it_is_told_beside_those_that_can_be_used(
    client: Client, media: Path, cache: str, path: str
) -> None:
    there = str(media / "there.mov")
    both: dict[str, Any] = {"cache_dir": cache, "media_paths": [there, path]}
    analyzed = {"cache_dir": cache, "visual_media_paths": [there, path]}

    first, second = client.ok("/media/metadata", **both)["media"]
    reason = second["error"]
    assert (first["media_path"], second["media_path"]) == (there, path)
    assert "media_paths[1]" in reason
    assert ("RUSHES_PATH_MAP" in reason) == (":" in path or path.startswith("\\\\"))
    assert client.ok("/cache-paths", **both)["cache_paths"][1]["error"] == reason
    slots = client.ok("/transcriptions", **both)["transcriptions"]
    assert [slot["error"] == reason for slot in slots] == [False, True]
    assert path in client.ok("/analysis-data/load-for-media", **both)["missing"]
    assert path in client.ok("/analysis-data/load-transcriptions", **both)["missing"]
    spoken = client.post("/search/transcript", **both, query="x")
    assert (spoken.status_code, spoken.json()["matches"], warned(spoken)) == (200, [], [reason])
    task_id = client.ok("/analyze", **analyzed)["task_id"]
    assert client.task(task_id)["total"] == 2
    assert client.ok("/analyze/cancel", task_id=task_id)
    requests = [{"media_path": each, "time_seconds": 1} for each in (there, path)]
    assert client.ok("/thumbnails", cache_dir=cache, requests=requests)["thumbnails"][1]["error"]
    walked = client.ok("/media/files", paths=[str(media), path])
    assert reason.replace("media_paths", "paths") in walked["warnings"]
    estimate = client.ok("/analyze/estimate", cache_dir=cache, paths=[str(media), path])
    assert reason.replace("media_paths", "paths") in estimate["warnings"]
    left_out = client.post("/analysis-data/left-out", **both, left_out=True)
    assert (left_out.json()["changed"], warned(left_out)) == (1, [reason])


def test_an_analysis_of_nothing_else_is_refused_and_stops_nobody(
    client: Client, media: Path, cache: str
) -> None:
    good = client.ok("/analyze", cache_dir=cache, visual_media_paths=[str(media / "there.mov")])
    answer = client.post("/analyze", cache_dir=cache, visual_media_paths=["", "a.mov"])
    assert (answer.status_code, "visual_media_paths[0]" in answer.json()["message"]) == (400, True)
    assert client.task(good["task_id"])["status"] == "queued"
    assert client.ok("/analyze/cancel")["cancelled"]
