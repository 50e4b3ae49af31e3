"""One answer has room for so many captions; what is beyond it is said, file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.transcripts import captions as answered
from api.transcripts.answers import Transcription
from shared.cache.cache_dir import CacheDir
from tests.support.search.search_data import media_hash
from tests.support.search.transcribed import captioned, publish_captions


def slot(cache: CacheDir, number: int, room: answered.RoomInAnswer) -> Transcription:
    found = Transcription(
        media_path="a.mov",
        hash_str=media_hash(number),
        language=None,
        segments=None,
        language_probability=None,
        model_key=None,
        error=None,
    )
    answered.add_captions(found, cache, media_hash(number), room)
    return found


def test_what_has_no_room_is_left_out_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answered, "MOST_BYTES", 500)
    cache = CacheDir.open(tmp_path, create=True)
    publish_captions(cache, media_hash(1), captioned((1, "small", 2)), warnings=("One is gone.",))
    publish_captions(cache, media_hash(2), captioned((1, "large " * 100, 2)))
    publish_captions(cache, media_hash(3), captioned((1, "small again", 2)))
    publish_captions(cache, media_hash(4))
    room = answered.RoomInAnswer()
    small, large, after, none = (slot(cache, n, room) for n in (1, 2, 3, 4))
    assert small.captions
    assert small.caption_warnings == ["One is gone."]
    for left_out in (large, after):
        assert left_out.captions is None
        assert left_out.caption_warnings
        assert "another request" in left_out.caption_warnings[0]
    assert (none.captions, none.caption_warnings) == ([], None)
    assert slot(cache, 3, answered.RoomInAnswer()).captions
