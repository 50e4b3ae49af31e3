"""What lies in a media folder, page by page, and what of it may be told."""

from __future__ import annotations

import os
import secrets
import unicodedata
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cache_material import HASH, MODEL, fill
from tests.support.search.search_data import media_hash, publish, random_units
from tests.support.stack import Client, Stack
from tests.support.system.stopwatch import Stopwatch

MANY = 100_000


@pytest.fixture
def folder(media: Path) -> Path:
    """A new folder in the media root."""
    made = media / f"day {secrets.token_hex(4)}"
    made.mkdir()
    return made


def look(client: Client, path: Path | str | None, **more: Any) -> dict[str, Any]:
    answer = ask(client, path, **more)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ask(client: Client, path: Path | str | None, **more: Any) -> httpx.Response:
    named = {} if path is None else {"path": str(path)}
    return client.http.post("/media/folder", json={**named, **more})


def names(answer: dict[str, Any], what: str) -> list[str]:
    return [each["name"] for each in answer[what]]


def below(client: Client, *paths: Path, **more: Any) -> dict[str, Any]:
    return dict(client.ok("/media/files", paths=[str(path) for path in paths], **more))


def refusal(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["message"])


def test_folders_come_first_then_media_each_by_name(client: Client, folder: Path) -> None:
    for name in ("b", "A", ".hidden", "library"):
        (folder / name).mkdir()
    (folder / "library" / "media").mkdir()
    (folder / "library" / "rushes.json").write_text("{}")
    for name in ("b.mov", "A.wav", "c.JPG", "notes.txt", ".b.mov", "raw.braw", "raw.R3D"):
        (folder / name).write_bytes(b"12345")
    (folder / "dir.mov").mkdir()
    answer = look(client, folder)
    assert (names(answer, "folders"), names(answer, "files")) == (
        ["A", "b", "dir.mov"],
        ["A.wav", "b.mov", "c.JPG"],
    )
    assert (answer["unsupported"], answer["next"], answer["warnings"]) == (2, None, [])
    file = answer["files"][1]
    assert (file["path"], file["size"], file["media_type"]) == (str(folder / "b.mov"), 5, "video")
    assert file["modified_at"] == pytest.approx((folder / "b.mov").stat().st_mtime)
    assert file["states"] == {"visual": None, "speech": None, "faces": None}
    assert (answer["path"], answer["parent"]) == (str(folder), str(folder.parent))
    assert all(each["online"] and each["analyzed"] is None for each in answer["folders"])


def test_all_begins_in_the_media_roots(client: Client, media: Path, folder: Path) -> None:
    answer = look(client, None)
    assert [each["path"] for each in answer["folders"]] == [str(media)]
    assert (answer["path"], answer["parent"], answer["files"]) == (None, None, [])
    assert look(client, media)["parent"] is None
    assert folder.name in names(look(client, media), "folders")


def test_pages_hold_everything_once(client: Client, folder: Path) -> None:
    for n in range(3):
        (folder / f"f{n}").mkdir()
        (folder / f"{n}.mov").touch()
    found, after = [], None
    for _ in range(4):
        page = look(client, folder, limit=2, **({"after": after} if after else {}))
        found += names(page, "folders") + names(page, "files")
        after = page["next"]
        if after is None:
            break
    assert found == ["f0", "f1", "f2", "0.mov", "1.mov", "2.mov"]


def test_what_is_analyzed_is_told_without_reading_files(
    client: Client, folder: Path, caches: Path
) -> None:
    (folder / "deep").mkdir()
    known, changed, new = folder / "a.mov", folder / "b.mov", folder / "c.wav"
    for path in (known, changed, new, folder / "deep" / "d.mov"):
        path.touch()
    cache = fill(caches / secrets.token_hex(4), known)
    publish(cache, media_hash(2), random_units(2, 384, 2), model=MODEL, path=changed)
    deep = folder / "deep" / "d.mov"
    publish(cache, media_hash(3), random_units(2, 384, 3), model=MODEL, path=deep)
    changed.write_bytes(b"anew")
    answer = look(client, folder, cache_dir=str(cache.root))
    states = {each["name"]: each["states"] for each in answer["files"]}
    assert states == {
        "a.mov": {"visual": "analyzed", "speech": "analyzed", "faces": "analyzed"},
        "b.mov": {"visual": "none", "speech": "none", "faces": "none"},
        "c.wav": {"visual": None, "speech": "none", "faces": None},
    }
    assert [each["analyzed"] for each in answer["folders"]] == [1]
    assert HASH  # what `fill` publishes is of a.mov
    task = client.analyze(Path(str(cache.root)), changed)
    (waiting,) = [
        each
        for each in look(client, folder, cache_dir=str(cache.root))["files"]
        if each["name"] == "b.mov"
    ]
    assert (waiting["states"]["visual"], waiting["reason"]) == ("waiting", "In line for analysis.")
    client.ok("/analyze/cancel", task_id=task)


@pytest.mark.parametrize("route", ["/media/folder", "/media/files", "/analyze/estimate"])
def test_folders_that_are_not_for_the_client_are_refused_in_words(
    client: Client, folder: Path, caches: Path, tmp_path: Path, route: str
) -> None:
    (tmp_path / "secret").mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "note.txt").touch()

    def ask(path: str) -> httpx.Response:
        asked = {"path": path} if route == "/media/folder" else {"paths": [path]}
        more = {"cache_dir": str(caches / "c")} if route == "/analyze/estimate" else {}
        return client.http.post(route, json={**asked, **more})

    for path in (str(tmp_path), str(folder / ".." / ".." / ".."), str(folder / "out")):
        assert "path" in refusal(ask(path), 403)
    for path in (str(folder / "out" / "secret"), str(folder / "out" / "missing")):
        assert "outside" in refusal(ask(path), 403)
    assert "no folder" in refusal(ask(str(folder / "gone")), 400).replace("neither a", "no")
    assert "absolute" in refusal(ask("day1"), 400)
    assert refusal(ask("/" + "x" * 10_000), 400)
    assert refusal(ask(f"{folder}/{'x' * 300}"), 400)


def test_links_lead_no_further_than_the_roots(client: Client, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.mov").write_bytes(b"secret")
    (folder / "real").mkdir()
    (folder / "real" / "a.mov").write_bytes(b"12")
    (folder / "out").symlink_to(tmp_path)
    (folder / "out.mov").symlink_to(tmp_path / "secret.mov")
    (folder / "gone.mov").symlink_to(folder / "nothing.mov")
    (folder / "in").symlink_to(folder / "real")
    (folder / "in.mov").symlink_to(folder / "real" / "a.mov")
    (folder / "real" / "up").symlink_to(folder)
    os.mkfifo(folder / "pipe.mov")
    answer = look(client, folder)
    assert (names(answer, "folders"), names(answer, "files")) == (["in", "real"], ["in.mov"])
    assert answer["files"][0]["size"] == 2
    found = below(client, folder)
    assert found["files"] == [str(folder / "in.mov"), str(folder / "real" / "a.mov")]
    assert (found["total_bytes"], found["is_partial"]) == (4, False)


def test_names_in_any_form_are_told_and_found(client: Client, folder: Path, caches: Path) -> None:
    odd = ["<img src=x onerror=alert(1)>.mov", "\"&'.mov", "naïve é.mov", "日本.mov", "a\nb.mov"]
    other = [unicodedata.normalize("NFD", name) for name in odd]
    for name in other:
        (folder / name).write_bytes(b"1")
    (folder / unicodedata.normalize("NFD", "Ü")).mkdir()
    (folder / os.fsdecode(b"\xff.mov")).touch()
    answer = look(client, folder, cache_dir=str(caches / "none"))
    assert sorted(names(answer, "files")) == sorted(other)
    assert "1 name in" in answer["warnings"][0]
    files = below(client, folder)["files"]
    assert sorted(files) == sorted(str(folder / name) for name in other)
    cache = fill(caches / secrets.token_hex(4), folder / other[2])
    composed = unicodedata.normalize("NFC", str(folder))
    states = {
        each["name"]: each["states"]["visual"]
        for each in look(client, composed, cache_dir=str(cache.root))["files"]
    }
    assert states[other[2]] == "analyzed"


def test_files_below_folders_are_told_in_order_from_any_place(client: Client, folder: Path) -> None:
    (folder / "a" / "deep").mkdir(parents=True)
    (folder / "c").mkdir()
    expected = ["a/1.mov", "a/deep/x.wav", "b.mov", "c/2.jpg", "d.mov"]
    for name in expected:
        (folder / name).write_bytes(b"123")
    every = [str(folder / name) for name in expected]
    assert below(client, folder)["files"] == every
    overlapping = below(client, folder / "a", folder, folder / "d.mov")
    assert (overlapping["files"], overlapping["total_bytes"]) == (every, 15)
    found, after = [], None
    for _ in range(3):
        page = below(client, folder, limit=2, **({"after": after} if after else {}))
        found += page["files"]
        after = page["next"]
    assert (found, after) == (every, None)
    flat = below(client, folder, recursive=False)["files"]
    assert flat == [every[2], every[4]]
    assert below(client, folder / "d.mov")["files"] == [every[4]]
    some = below(client, folder / "gone", folder / "c")
    assert (some["files"], some["is_partial"]) == ([every[3]], True)
    assert some["warnings"] == [
        f"paths[0]: there is neither a folder nor a file {folder}/gone on the server."
    ]


def test_a_folder_of_very_many_files_is_answered_soon(
    client: Client, folder: Path, caches: Path, api_stack: Stack
) -> None:
    inside = os.open(folder, os.O_DIRECTORY)
    for n in range(MANY):
        os.mknod(f"{n:06}.jpg", dir_fd=inside)
    os.close(inside)
    stopwatch = Stopwatch(api_stack)
    page = look(client, folder)
    assert (len(page["files"]), page["next"]) == (1000, "file:000999.jpg")
    after = look(client, folder, after="file:099998.jpg")
    assert (names(after, "files"), after["next"]) == (["099999.jpg"], None)
    files = below(client, folder, after=str(folder / "097999.jpg"))
    assert (len(files["files"]), files["next"], files["is_partial"]) == (2000, None, False)
    asked = {"cache_dir": str(caches / "none"), "paths": [str(folder)]}
    assert client.ok("/analyze/estimate", **asked)["files"]["new"] == MANY
    took = stopwatch.seconds()
    print(f"{MANY:,} files: {took:.1f} s")
    assert took < 30


def test_a_page_begins_where_an_answer_has_ended_or_nowhere(client: Client, folder: Path) -> None:
    assert "next" in refusal(ask(client, folder, after="x"), 400)
    assert "path" in refusal(ask(client, folder / "../a.mov"), 400)


def test_a_key_with_roots_begins_in_them(
    api_stack: Stack, client: Client, folder: Path, media: Path
) -> None:
    (folder / "a.mov").touch()
    made = client.post("/keys", label="A guest", scopes=["analyze"], roots=[str(folder)]).json()
    guest = api_stack.client(key=made["license_key"])
    assert [each["path"] for each in look(guest, None)["folders"]] == [str(folder)]
    answer = look(guest, folder)
    assert (answer["parent"], names(answer, "files")) == (None, ["a.mov"])
    assert "licence key" in refusal(ask(guest, media), 403)
    assert "licence key" in refusal(guest.post("/media/files", paths=[str(media)]), 403)


def test_files_below_folders_may_be_asked_for_by_kind(client: Client, folder: Path) -> None:
    for name in ("a.mov", "b.wav", "c.jpg"):
        (folder / name).write_bytes(b"12")
    seen = below(client, folder, media_types=["video", "image"])
    assert seen["files"] == [str(folder / name) for name in ("a.mov", "c.jpg")]
    assert seen["total_bytes"] == 4
    assert below(client, folder, media_types=["audio"])["files"] == [str(folder / "b.wav")]
    answer = client.post("/media/files", paths=[str(folder)], media_types=["text"])
    assert "media_types" in refusal(answer, 400)
