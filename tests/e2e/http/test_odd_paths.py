"""Names with spaces, #, %, quotes and letters of any script work in every field that takes one."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tests.support.media.media import make_clip, make_still
from tests.support.stack import Stack

NAMES = (
    "Tag 1 – Übung #1 100% \"laut\" 'leise' & mehr?",
    "映像 テスト;$(x) [1] {2}",
    unicodedata.normalize("NFD", "Café à Zürich"),
    "back\\slash and\ttab",
)


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_name_works_in_every_field(stack: Stack, tmp_path: Path, name: str) -> None:
    client = stack.client()
    folder, cache = tmp_path / name, str(tmp_path / f"cache {name}")
    clip = str(make_clip(folder / f"{name}.mp4", seconds=3))
    still = str(make_still(folder / f"{name}.png", colour=(20, 200, 60)))
    record = client.analyzed(Path(cache), Path(clip), Path(still), Path(f"{clip}.missing.mp4"))
    assert [f["media_path"] for f in record["failed_files"]] == [f"{clip}.missing.mp4"]
    paths = {"media_paths": [clip, still]}

    def found(kind: str, **body: object) -> set[str]:
        matches = client.ok(f"/search/{kind}", cache_dir=cache, **body)["matches"]
        return {match["video_path"] for match in matches}

    assert found("text", query="green", **paths) == {clip, still}
    assert found("text", query="green", search_all=True) == {clip, still}
    assert found("image", image_path=still, media_paths=[clip]) == {clip}
    assert found("frame", media_path=clip, time_seconds=1, **paths) == {clip, still}
    media = client.ok("/media/metadata", cache_dir=cache, **paths)["media"]
    assert [(m["media_path"], m["error"]) for m in media] == [(clip, None), (still, None)]
    loaded = client.ok("/analysis-data/load-for-media", cache_dir=cache, **paths)
    assert (loaded["visual_files"], loaded["missing"]) == (2, [])
    assert client.ok("/analysis-data/load", cache_dir=cache)["visual_files"] == 2
    where = client.ok("/cache-paths", cache_dir=cache, **paths)["cache_paths"]
    assert all(Path(item["visual"]["path"]).exists() for item in where)
    thumbnails = client.ok(
        "/thumbnails", cache_dir=cache, requests=[{"media_path": clip, "time_seconds": 2}]
    )["thumbnails"]
    assert thumbnails[0]["thumbnail"]
    scene = {"media_path": clip, "start_time": 0, "end_time": 2}
    assert len(client.ok("/thumbnails/scene", cache_dir=cache, **scene)["scene_thumbnails"]) == 2


def test_a_path_that_can_be_used_by_none_fails_alone_in_a_task(
    stack: Stack, tmp_path: Path
) -> None:
    clip, cache = make_clip(tmp_path / "a.mp4", seconds=1), tmp_path / "cache"
    body = {"cache_dir": str(cache), "visual_media_paths": ["D:\\footage\\a.mov", str(clip), ""]}
    record = stack.client().wait_final(stack.client().ok("/analyze", **body)["task_id"])
    assert record["status"] == "completed"
    failed = {one["media_path"]: one["error"] for one in record["failed_files"]}
    assert set(failed) == {"D:\\footage\\a.mov", ""}
    assert "RUSHES_PATH_MAP" in failed["D:\\footage\\a.mov"]
