"""Labelled queries change what is a match, from the command line, until they are forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.cache.cache_dir import CacheDir
from tests.support.cli.remote_command import Command
from tests.support.lite_models import lite_model
from tests.support.media.by_path import hash_media
from tests.support.search.search_data import publish, unit
from tests.support.stack import KEY, Client, Stack

THINGS = (
    "a dog", "a cat", "a horse", "a bridge", "a castle", "a violin", "a lighthouse", "a volcano",
    "a tractor", "a zebra", "an owl", "a strawberry", "a piano", "a submarine", "a tent",
    "a windmill", "a bicycle", "a crocodile", "a pizza", "a rocket", "a church", "a frog",
)  # fmt: skip


@pytest.fixture
def zoo(stack: Stack, tmp_path: Path) -> dict[str, Any]:
    """A film of each thing, whose picture is what the model makes of its name; and their labels."""
    cache = CacheDir.open(tmp_path / "cache", create=True)
    rows = lite_model().embed_texts(list(THINGS))
    labels = []
    for thing, row in zip(THINGS, rows, strict=True):
        path = tmp_path / f"{thing}.mp4"
        path.write_text(thing)
        publish(cache, hash_media(path), unit(row[None].astype(np.float32)), model="conse-lite0",
                path=path)  # fmt: skip
        labels.append({"query": thing, "media_path": str(path)})
    return {"cache_dir": str(cache.root), "labels": labels}


def strengths(client: Client, zoo: dict[str, Any]) -> list[str | None]:
    answer = client.ok("/search/text", query="a dog", cache_dir=zoo["cache_dir"], details=True)
    return [match.get("strength") for match in answer["matches"]]


def test_labels_are_measured_used_and_forgotten(
    stack: Stack, zoo: dict[str, Any], tmp_path: Path
) -> None:
    client = stack.client()
    before = strengths(client, zoo)
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(zoo["labels"]))
    command = Command(client.url, KEY, tmp_path)
    calibrate = ("models", "calibrate", "--cache", zoo["cache_dir"])
    told = command.run(*calibrate, "--labels", file)
    assert f"{len(THINGS)} queries, {len(THINGS)} with a right answer" in told.stdout
    after = strengths(client, zoo)
    assert after[0] == "strong"
    assert set(after[1:]) == {None}, "all others were labelled wrong"
    forgotten = command.run(*calibrate, "--forget")
    assert "are forgotten" in forgotten.stdout
    assert strengths(client, zoo) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda labels: labels[:7], "labels name 7 queries: 20 to 500 are wanted."),
        (
            lambda labels: [{**labels[0], "media_path": "/none.mp4"}, *labels],
            "labels[0].media_path: /none.mp4 is not analyzed with conse-lite0 in this cache",
        ),
        (
            lambda labels: [{**labels[0], "start_seconds": 9, "end_seconds": 2}, *labels],
            "labels[0].end_seconds is before start_seconds.",
        ),
        (
            lambda labels: [{**label, "media_path": labels[n - 1]["media_path"]}
                            for n, label in enumerate(labels)],
            "have a right answer among their first three matches; 20 are needed.",
        ),
    ],
)  # fmt: skip
def test_labels_that_say_too_little_are_refused(
    stack: Stack, zoo: dict[str, Any], change: Any, said: str
) -> None:
    refused = stack.client().post(
        "/models/calibrate", cache_dir=zoo["cache_dir"], labels=change(zoo["labels"])
    )
    assert refused.status_code == 400
    assert said in refused.json()["message"]
