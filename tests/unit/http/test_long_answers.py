"""A long answer is encoded in pieces, between which others have their turn."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from api.http.endpoint import _encoded
from api.media.answers import SceneThumbnails, Thumbnail, Thumbnails
from api.monitoring.routes import Health


def test_it_reads_as_if_it_had_been_encoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = [Thumbnail(thumbnail=None, error="é") for _ in range(1_999)]
    answers: list[msgspec.Struct] = [
        Thumbnails(thumbnails=[*slots, Thumbnail(thumbnail="/9j/")]),
        SceneThumbnails(scene_thumbnails=[("/9j/", "00:00:01")] * 501),
        SceneThumbnails(scene_thumbnails=None),
        Health(),
    ]
    at_once = [msgspec.json.encode(answer) for answer in answers]
    encode, longest = msgspec.json.encode, 0

    def recording(found: Any) -> bytes:
        nonlocal longest
        longest = max(longest, len(found) if isinstance(found, list) else 0)
        return encode(found)

    monkeypatch.setattr(msgspec.json, "encode", recording)
    assert [asyncio.run(_encoded(answer)) for answer in answers] == at_once
    assert 0 < longest <= 500
