"""Fields that nobody reads are named in a header, and change nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.stack import Client


def warned(answer: httpx.Response) -> list[str]:
    return list(json.loads(answer.headers.get("x-rushes-warnings", "[]")))


def test_an_unknown_field_is_named_with_the_nearest_known_one(client: Client, caches: Path) -> None:
    paths: dict[str, Any] = {"media_paths": ["/nowhere/a.mov"]}
    plain = client.post("/media/metadata", **paths)
    answer = client.post("/media/metadata", **paths, cache_dri=str(caches), zebra=None)
    assert (answer.status_code, answer.json()) == (200, plain.json())
    assert "x-rushes-warnings" not in plain.headers
    assert warned(answer) == [
        "cache_dri is no field here, and was not read; did you mean cache_dir?",
        "zebra is no field here, and was not read.",
    ]


def test_fields_within_lists_and_of_refused_bodies_and_urls_are_named_too(
    client: Client, media: Path, caches: Path
) -> None:
    job = {"path": str(media / "a.mov"), "langauge": "english"}
    answer = client.post("/analyze", cache_dir=str(caches), transcription_jobs=[job, job])
    assert warned(answer) == [
        f"transcription_jobs[{n}].langauge is no field here, and was not read; "
        "did you mean language?"
        for n in range(2)
    ]
    refused = client.post("/search/text", cache_dir=str(caches), qeury="a bicycle")
    assert (refused.status_code, refused.json()["message"]) == (400, "query is required.")
    assert "did you mean query?" in warned(refused)[0]
    refused = client.get("/faces/clusters?cache_dri=x")
    assert "did you mean cache_dir?" in warned(refused)[0]


@pytest.mark.parametrize("name", ["x" * 5000, "two\nlines", "ü", "\U0001f600", "a\x1b[31m"])
def test_no_name_breaks_the_header(client: Client, name: str) -> None:
    answer = client.post("/media/metadata", media_paths=[], **{name: 1})
    [said] = warned(answer)
    assert said.isprintable()
    assert len(said) < 300


def test_many_unknown_fields_are_some_sentences(client: Client) -> None:
    many = {f"field {n}": n for n in range(5000)}
    assert len(warned(client.post("/media/metadata", media_paths=[], **many))) == 10
