"""What clients write a little otherwise than the reference, and is understood all the same."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import pytest

from shared.cache.cache_dir import CacheDir
from shared.cache.transcripts import Segment
from tests.contract.http.test_bad_input import refusal
from tests.support.media.by_path import hash_media
from tests.support.search.transcript_data import publish_transcript
from tests.support.stack import Client

SAID = (Segment(start=1.0, end=2.0, text="Roll the thunder."),)


@pytest.fixture
def film(media: Path) -> Path:
    path = media / "lenient.mp4"
    path.write_bytes(b"lenient" * 100)
    return path


@pytest.fixture
def cache(caches: Path, film: Path) -> CacheDir:
    """The film's transcript."""
    cache = CacheDir.open(caches / "lenient", create=True)
    publish_transcript(cache, hash_media(str(film)), SAID, model="whisper-base", path=film)
    return cache


def found(client: Client, cache: CacheDir, *paths: Path, **more: object) -> list[str]:
    """Files in which the word was found."""
    body = {"cache_dir": str(cache.root), "media_paths": list(map(str, paths)), "query": "thunder"}
    matches = client.ok("/search/transcript", **body, **more)["matches"]
    return [match["media_path"] for match in matches]


def test_whole_numbers_may_have_a_decimal_point(
    client: Client, cache: CacheDir, film: Path
) -> None:
    assert found(client, cache, film, max_results=2.0) == [str(film)]
    body = {"cache_dir": str(cache.root), "query": "thunder"}
    assert refusal(client, "/search/transcript", **body, max_results=2.5).startswith("max_results")
    assert refusal(client, "/search/transcript", **body, max_results="2").startswith("max_results")


@pytest.mark.parametrize("time", [5, 5.0, "5", "5.0", "00:05", "0:05", "00:00:05", "000:00:05.000"])
def test_a_time_may_be_written_in_many_ways(
    client: Client, cache: CacheDir, film: Path, time: float | str
) -> None:
    requests = [{"media_path": str(film), "time_seconds": time}]
    answer = client.post("/thumbnails", cache_dir=str(cache.root), requests=requests)
    assert answer.status_code == 200, answer.text


def test_a_name_is_found_in_either_unicode_form(
    client: Client, cache: CacheDir, film: Path, media: Path
) -> None:
    for form, other in (("NFC", "NFD"), ("NFD", "NFC")):
        folder = media / unicodedata.normalize(form, f"Müller {form}")
        folder.mkdir()
        shutil.copy(film, folder / unicodedata.normalize(other, "Café.mp4"))
        asked = media / unicodedata.normalize(other, f"Müller {form}/Café.mp4")
        assert found(client, cache, asked) == [str(asked)]
        assert found(client, cache, asked.with_name("Cafe.mp4")) == []


def test_two_identical_files_of_one_search_both_come_back(
    client: Client, cache: CacheDir, film: Path, media: Path
) -> None:
    copy = media / "lenient copy.mp4"
    shutil.copy(film, copy)
    assert found(client, cache, copy, film) == [str(copy), str(film)]
    assert found(client, cache, copy, film, max_results=1) == [str(copy)]


def test_a_model_of_another_kind_is_told_its_kind(client: Client) -> None:
    said = refusal(client, "/models/load", model_key="whisper-base")
    kinds = "whisper-base is a model of the kind 'speech', not 'visual'"
    assert said.endswith(f'{kinds}: send model_type: "speech".')


def test_what_cannot_run_here_says_why(client: Client) -> None:
    models = client.get("/models/available").json()
    lite = next(m for m in models["visual"] if m["model_key"] == "conse-lite0")
    assert lite["unsupported"] is None
    for model in models["visual"]:
        assert model["unsupported"] is None or "Install Rushes with its `" in model["unsupported"]
