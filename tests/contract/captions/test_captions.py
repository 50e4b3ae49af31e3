"""Subtitles and captions of files, as a client gets them with transcripts and searches them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.cache.cache_dir import CacheDir
from tests.support.media.by_path import hash_media
from tests.support.search.transcribed import captioned, publish_captions, publish_for, spoken
from tests.support.stack import Client


@pytest.fixture
def cache(caches: Path, tmp_path: Path) -> CacheDir:
    return CacheDir.open(caches / tmp_path.name, create=True)


@pytest.fixture
def films(cache: CacheDir, media: Path, tmp_path: Path) -> list[Path]:
    """A film that is heard and captioned, a silent one with subtitles, one without either."""
    folder = media / tmp_path.name
    folder.mkdir()
    heard, silent, bare = (folder / name for name in ("a.mov", "b.mkv", "c.mov"))
    for path in (heard, silent, bare):
        path.write_bytes(f"the content of {path}".encode())
    hash_str = publish_for(cache, heard, spoken(0.5, "We are rolling.", 2))
    publish_captions(
        cache,
        hash_str,
        captioned((0.6, "Wir drehen. We roll.", 2.1), language="deu", title="Text"),
        captioned((1, "[thunder]", 2), kind="captions", service="CC1", stream=0),
    )
    of_silent = hash_media(str(silent))
    publish_captions(cache, of_silent, captioned((3, "rolling on", 4)), warnings=("One is gone.",))
    found = silent.stat()
    cache.remember_path(of_silent, str(silent), found.st_size, found.st_mtime_ns)
    return [heard, silent, bare]


def transcriptions(
    client: Client, cache: CacheDir, films: list[Path], **more: Any
) -> list[dict[str, Any]]:
    paths = [str(path) for path in films]
    body = {"cache_dir": str(cache.root), "media_paths": paths, **more}
    return list(client.ok("/transcriptions", **body)["transcriptions"])


def test_transcriptions_have_them_only_when_asked(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    plain = transcriptions(client, cache, films)
    heard, silent, bare = transcriptions(client, cache, films, captions=True)
    assert heard.pop("captions") == [
        {
            "kind": "subtitles",
            "language": "deu",
            "title": "Text",
            "service": None,
            "segments": [[0.6, "Wir drehen. We roll.", 2.1]],
        },
        {
            "kind": "captions",
            "language": None,
            "title": None,
            "service": "CC1",
            "segments": [[1.0, "[thunder]", 2.0]],
        },
    ]
    assert silent.pop("caption_warnings") == ["One is gone."]
    assert [track["segments"] for track in silent.pop("captions")] == [[[3.0, "rolling on", 4.0]]]
    assert silent["segments"] is None
    assert [heard, silent, bare] == plain, "nothing else is different; the last was not looked at"


def test_damaged_captions_are_told_in_their_slot(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    hash_str = hash_media(str(films[0]))
    manifest = publish_captions(cache, hash_str, captioned((1, "gone", 2)))
    cache.data_path(hash_str, manifest).path.write_bytes(b"{")
    heard, silent, _ = transcriptions(client, cache, films, captions=True)
    assert "with force" in heard["error"]
    assert heard["segments"] == [[0.5, "We are rolling.", 2.0]]
    assert (silent["error"], len(silent["captions"])) == (None, 1)


def test_search_finds_them_only_when_asked_and_says_which_they_are(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    body = {"cache_dir": str(cache.root), "query": "roll"}
    (plain,) = client.ok("/search/transcript", **body)["matches"]
    assert "kind" not in plain
    matches = client.ok("/search/transcript", **body, captions=True)["matches"]
    assert [(match.get("kind"), match["text"]) for match in matches] == [
        (None, "We are rolling."),
        ("subtitles", "Wir drehen. We roll."),
        ("subtitles", "rolling on"),
    ]
    assert matches[0] == plain
    assert matches[2]["media_path"] == str(films[1])


def test_pages_hold_all_of_them_once(client: Client, cache: CacheDir, films: list[Path]) -> None:
    body = {"cache_dir": str(cache.root), "query": "roll", "captions": True, "max_results": 1}
    texts, cursor = [], ""
    while cursor is not None:
        page = client.ok("/search/transcript", **body, cursor=cursor)
        texts += [match["text"] for match in page["matches"]]
        cursor = page.get("next")
    assert texts == ["We are rolling.", "Wir drehen. We roll.", "rolling on"]
    grouped = client.ok("/search/transcript", **body | {"max_results": 9}, group_by="file")
    assert [len(group["matches"]) for group in grouped["groups"]] == [2, 1]


def test_deleting_results_of_a_file_takes_them_too(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    body = {"cache_dir": str(cache.root), "media_paths": [str(films[1])], "dry_run": False}
    (media,) = client.ok("/analysis-data/delete", **body)["media"]
    assert [data["kind"] for data in media["data"]] == ["captions"]
    found = client.ok(
        "/search/transcript", cache_dir=str(cache.root), query="rolling on", captions=True
    )
    assert not found["matches"]


def test_why_captions_were_not_searched_is_said(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    body = {"cache_dir": str(cache.root), "query": "roll", "captions": True}

    def warning(**more: Any) -> str:
        answer = client.post("/search/transcript", **body, **more)
        assert not [match for match in answer.json()["matches"] if "kind" in match]
        said = list(json.loads(answer.headers["X-Rushes-Warnings"]))
        assert more == {} or not any("no effect" in one for one in said[1:])
        return str(said[0])

    assert warning(speaker="S1").startswith("captions had no effect: nobody is known to speak")
    for film in films[:2]:
        hash_str = hash_media(str(film))
        manifest = publish_captions(cache, hash_str, captioned((1, "roll", 2)))
        cache.data_path(hash_str, manifest).path.write_bytes(b"{")
    assert warning().startswith("Captions of 2 files were not searched: ")
    assert warning(media_paths=[str(films[1])]).startswith("Captions of 1 file were not")


def test_a_folder_with_captions_alone_is_searched_and_counted(
    client: Client, cache: CacheDir, films: list[Path]
) -> None:
    alone = CacheDir.open(cache.root.path.with_name(f"{cache.root.path.name}-alone"), create=True)
    hash_str = hash_media(str(films[1]))
    publish_captions(alone, hash_str, captioned((3, "rolling on", 4)))
    found = films[1].stat()
    alone.remember_path(hash_str, str(films[1]), found.st_size, found.st_mtime_ns)
    body = {"cache_dir": str(alone.root), "captions": True, "details": True, "coverage": True}
    assert client.ok("/search/transcript", **body, query="thunder")["notes"] == []
    answer = client.ok("/search/transcript", **body, query="rolling")
    assert len(answer["matches"]) == 1
    coverage = answer["coverage"]
    assert [coverage[part]["files"] for part in ("asked", "searched", "captions")] == [1, 0, 1]
    [reason] = coverage["reasons"]
    assert reason["reason"].startswith("Its captions were searched, but not what is said in it. ")
    plain = client.ok("/search/transcript", **body | {"captions": False}, query="thunder")
    assert plain["notes"] == ["Nothing in this cache folder is transcribed yet."]
    assert "captions" not in plain["coverage"]
