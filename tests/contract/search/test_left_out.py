"""Files that people leave out: listed, counted apart, and taken again by whoever names them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import ProgressType
from shared.ledger.ledger import Ledger
from shared.ledger.left_out import MOST_MARKS
from shared.redis.clients import connect
from tests.support.media.by_path import hash_media
from tests.support.played_worker import claim
from tests.support.private_redis import PrivateRedis
from tests.support.search.search_data import publish, random_units
from tests.support.stack import Client, Stack


class Library:
    """One film that is analyzed, and others that failed."""

    def __init__(self, client: Client, ledger: Ledger, media: Path, caches: Path) -> None:
        self.client, self.ledger = client, ledger
        self.cache = caches / "left out"
        self.media = media / "left out"
        self.media.mkdir(exist_ok=True)
        self.film = self.file("film.mp4")
        publish(
            CacheDir.open(self.cache, create=True), hash_media(self.film), random_units(3, 32, 1),
            model="conse-lite0", path=self.film,
        )  # fmt: skip

    def file(self, name: str) -> Path:
        path = self.media / name
        path.write_bytes(name.encode() + os.urandom(8) if not path.exists() else path.read_bytes())
        return path

    def failed(self, *names: str) -> list[Path]:
        paths = [self.file(name) for name in names]
        task_id = self.client.analyze(self.cache, *paths, on_busy="queue")
        for n, path in enumerate(paths):
            lease = claim(self.ledger, task_id, n, "worker", f"nonce{n}")
            assert lease
            self.ledger.file_ended(
                lease, type=ProgressType.VIDEO, index=0, media_path=str(path), error="It is torn."
            )
            self.ledger.settle(lease, "done")
        return paths

    def leave_out(self, *paths: Path, left_out: bool = True) -> dict[str, Any]:
        return dict(
            self.client.ok(
                "/analysis-data/left-out", cache_dir=str(self.cache),
                media_paths=[str(path) for path in paths], left_out=left_out,
            )
        )  # fmt: skip

    def listed(self, more: str = "") -> dict[str, Any]:
        answer = self.client.get(f"/analysis-data/left-out?cache_dir={self.cache}{more}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def coverage(self, **more: Any) -> dict[str, Any]:
        return dict(
            self.client.ok(
                "/search/frame", cache_dir=str(self.cache), coverage=True, time_seconds=0,
                media_path=str(self.film), **more,
            )["coverage"]
        )  # fmt: skip


@pytest.fixture
def library(client: Client, api_redis: PrivateRedis, media: Path, caches: Path) -> Library:
    return Library(client, Ledger(connect(api_redis.url), "default"), media, caches)


def test_what_is_left_out_is_counted_apart_and_taken_again(library: Library) -> None:
    a, b = library.failed("a.mp4", "b.mp4")
    assert "left_out" not in library.coverage()
    assert library.leave_out(a, b) == {"message": "2 files left out.", "changed": 2}
    assert library.leave_out(a)["changed"] == 0
    found = library.coverage()
    assert (found["left_out"]["files"], found["failed"]["files"]) == (2, 0)
    assert found["asked"]["files"] == 3
    [reason] = found["reasons"]
    assert reason["state"] == "left_out"
    assert reason["reason"].endswith("has left it out. It is torn.")
    asked = library.coverage(media_paths=[str(a), str(library.film)])
    assert (asked["left_out"]["files"], asked["unknown"]["files"]) == (1, 0)
    assert library.leave_out(a, left_out=False) == {"message": "1 file taken again.", "changed": 1}
    found = library.coverage()
    assert (found["left_out"]["files"], found["failed"]["files"]) == (1, 1)


def test_an_analysis_that_names_it_takes_it_again(library: Library) -> None:
    a, b = library.failed("a.mp4", "b.mp4")
    library.leave_out(a, b)
    library.client.analyze(library.cache, a, on_busy="queue")
    assert [file["media_path"] for file in library.listed()["files"]] == [str(b)]
    assert library.coverage()["waiting"]["files"] == 1


def test_they_are_listed_in_pages_with_who_when_and_why(library: Library) -> None:
    paths = library.failed("a.mp4", "b.mp4")
    library.leave_out(*paths, library.media / "Zoë.mp4")
    seen: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": ""}
    while page["next"] is not None:
        page = library.listed(f"&limit=2&after={page['next']}")
        assert page["total"] == 3
        seen += page["files"]
    assert sorted(Path(file["media_path"]).name for file in seen) == [
        "Zoë.mp4",
        "a.mp4",
        "b.mp4",
    ]
    assert {file["reason"] for file in seen} == {"It is torn.", None}
    assert all(file["by"] and file["at"] > 0 for file in seen)


def test_a_key_with_roots_learns_nothing_of_files_outside_them(
    library: Library, api_stack: Stack
) -> None:
    names = ("a/1.mp4", "b/2.mp4", "b/3.mp4", "b/4.mp4", "b0/5.mp4", "c/6.mp4")
    for name in names:
        (library.media / name).parent.mkdir(exist_ok=True)
    library.leave_out(*(library.media / name for name in names))
    roots = [str(library.media / "b"), str(library.cache)]
    made = library.client.post("/keys", label="Editing", scopes=["search"], roots=roots).json()
    library.client = api_stack.client(key=made["license_key"])
    first = library.listed("&limit=2")
    second = library.listed(f"&limit=2&after={first['next']}")
    found = [Path(file["media_path"]).name for file in first["files"] + second["files"]]
    assert found == ["2.mp4", "3.mp4", "4.mp4"]
    assert (first["total"], second["total"], second["next"]) == (3, 3, None)


def test_a_link_to_the_cache_folder_has_its_marks(library: Library) -> None:
    [a] = library.failed("a.mp4")
    library.leave_out(a)
    link = library.cache.with_name("link to it")
    link.unlink(missing_ok=True)
    link.symlink_to(library.cache)
    library.cache = link
    assert library.listed()["total"] == 1
    assert library.coverage()["left_out"]["files"] == 1
    library.client.analyze(link, a, on_busy="queue")
    assert library.listed()["total"] == 0


def test_no_more_can_be_left_out_than_watchers_keep_in_hand(
    library: Library, api_redis: PrivateRedis
) -> None:
    marks = {f"/m/{n}": "{}" for n in range(MOST_MARKS)}
    cache_id = CacheDir.open(library.cache, create=False).id
    with connect(api_redis.url) as client:
        client.hset(f"rushes:default:left-out:{cache_id}", mapping=marks)
    answer = library.client.post(
        "/analysis-data/left-out", cache_dir=str(library.cache),
        media_paths=[str(library.film)], left_out=True,
    )  # fmt: skip
    assert answer.status_code == 400
    assert "100,000 can be" in answer.json()["message"]


@pytest.mark.parametrize(
    ("paths", "status", "word"),
    [
        (["a.mp4"], 400, "media_paths[0]"),
        ([""], 400, "media_paths[0]"),
        (["/etc/passwd"], 403, "media_paths[0]"),
    ],
)
def test_a_wrong_path_is_named_and_nothing_is_done(
    library: Library, paths: list[str], status: int, word: str
) -> None:
    answer = library.client.post(
        "/analysis-data/left-out", cache_dir=str(library.cache), media_paths=paths, left_out=True
    )
    assert answer.status_code == status
    assert word in answer.json()["message"]
    assert library.listed()["total"] == 0
    assert library.client.get("/analysis-data/left-out").status_code == 400
