"""POST /faces/collections/vocabulary: the words of a collection, told and replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import Client

PATH = "/faces/collections/vocabulary"


def test_the_list_is_replaced_and_told(client: Client, caches: Path) -> None:
    season = {"cache_dir": str(caches / "words"), "cluster_job_name": "Season 1"}
    unknown = client.post(PATH, **season)
    assert unknown.status_code == 404
    made = client.ok(PATH, **season, vocabulary=["  Siobhan   Gallagher ", "Kestrelhaven"])
    assert made["vocabulary"] == ["Siobhan Gallagher", "Kestrelhaven"]
    assert client.ok(PATH, **season) == made
    assert client.ok(PATH, **season, vocabulary=[])["vocabulary"] == []


@pytest.mark.parametrize(
    ("vocabulary", "said"),
    [
        (["word"] * 10_000, "vocabulary has 10,000 entries, at most 200 are taken"),
        (["x" * 61], "vocabulary[0] has 61 characters"),
        (["Ada", "…"], "vocabulary[1] holds no letter"),
    ],
)
def test_what_no_model_can_be_told_is_refused(
    client: Client, caches: Path, vocabulary: Any, said: str
) -> None:
    refused = client.post(
        PATH, cache_dir=str(caches / "words"), cluster_job_name="Refused", vocabulary=vocabulary
    )
    assert refused.status_code == 400
    assert said in refused.json()["message"]
    assert (
        client.post(PATH, cache_dir=str(caches / "words"), cluster_job_name="Refused").status_code
        == 404
    ), "nothing was made"
