"""A key with roots: every process keeps it inside them, also where links lead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.media.media import make_clip
from tests.support.stack import Client, Stack
from tests.support.waiting import wait_for

OUTSIDE = "outside the folders of this licence key"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shows; in the first a file of its own and a link to one of the second."""
    folder = tmp_path_factory.mktemp("shows")
    for name in ("show1", "show2"):
        (folder / name).mkdir()
        make_clip(folder / name / "a.mp4", 1)
    (folder / "show1" / "link.mp4").symlink_to(folder / "show2" / "a.mp4")
    return folder


@pytest.fixture
def exporting(stack: Stack) -> Iterator[Stack]:
    """The stack with an export worker."""
    stack.start_worker("export")
    ready = stack.client().get
    wait_for(lambda: ready("/ready").json()["workers"].get("export"), 30, "an export worker")
    yield stack
    assert stack.processes.pop("export-0").end() == 0


def test_no_process_follows_a_link_out_of_the_roots_of_a_key(
    exporting: Stack, folder: Path
) -> None:
    show, administrator = folder / "show1", exporting.client()
    answer = administrator.post("/keys", roots=[str(show)], label="Show 1")
    guest = exporting.client(key=answer.json()["license_key"])
    own, link, cache = show / "a.mp4", show / "link.mp4", show / "cache"

    record = guest.wait_final(guest.analyze(cache, own, link))
    assert (record["status"], record["total"]) == ("completed", 2)
    assert [(f["media_path"], OUTSIDE in f["error"]) for f in record["failed_files"]] == [
        (str(link), True)
    ]
    assert _errors(guest, cache, own, link) == [None, OUTSIDE]
    exported = guest.ok(
        "/export/clips",
        output_dir=str(show),
        clips=[{"media_path": str(p), "start_time": 0, "end_time": 0.5} for p in (own, link)],
    )
    assert [clip["media_path"] for clip in exported["exported"]] == [str(own)]
    assert [OUTSIDE in clip["error"] for clip in exported["failed"]] == [True]
    answer = guest.post("/search/image", cache_dir=str(cache), image_path=str(link))
    assert (answer.status_code, OUTSIDE in answer.json()["message"]) == (403, True)
    assert administrator.analyzed(folder / "cache", link)["failed_files"] == []


def _errors(client: Client, cache: Path, *paths: Path) -> list[str | None]:
    """What thumbnails of moments say that are not stored: OUTSIDE, or None where there is one."""
    requests: list[dict[str, Any]] = [{"media_path": str(p), "time_seconds": 0.3} for p in paths]
    found = client.ok("/thumbnails", cache_dir=str(cache), requests=requests)["thumbnails"]
    return [OUTSIDE if OUTSIDE in (slot.get("error") or "") else None for slot in found]
