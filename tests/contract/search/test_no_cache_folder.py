"""A cache folder that does not exist yet answers like an empty one, and is not made by asking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import Client

FRAME = {"media_path": "a.mov", "time_seconds": 1}


@pytest.mark.parametrize(
    ("path", "body", "empty"),
    [
        ("/search/transcript", {"query": "x"}, {"matches": []}),
        ("/analysis-data/load", {}, {"visual_files": 0, "frames": 0}),
        ("/analysis-data/load-transcriptions", {}, {"transcription_files": 0, "missing": []}),
        ("/analysis-data/load-for-media", {"media_paths": []}, {"frames": 0, "missing": []}),
        ("/transcriptions", {"media_paths": []}, {"transcriptions": []}),
        ("/faces/clusters?cache_dir=", None, {"cluster_jobs": []}),
    ],
)
def test_what_is_not_there_yet_is_empty(
    client: Client, caches: Path, path: str, body: dict[str, Any] | None, empty: dict[str, Any]
) -> None:
    for folder in (caches / "none", caches / "none" / "below"):
        if body is None:
            answer = client.get(path + str(folder))
        else:
            answer = client.post(path, cache_dir=str(folder), **body)
        assert answer.status_code == 200, answer.text
        assert {name: answer.json()[name] for name in empty} == empty
    assert not (caches / "none").exists()
