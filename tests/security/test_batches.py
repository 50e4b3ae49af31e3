"""A file that breaks a decoder in a way that nobody foresaw costs its own slot, not the batch."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.support.media.media import make_clip
from tests.support.stack import ADDRESS_SPACE, running_stack


def wav(path: Path, tag: int, bits: int) -> Path:
    """A second of sound whose header names that codec and sample size."""
    form = struct.pack("<HHIIHH", tag, 1, 8_000, 16_000, 2, bits)
    data = bytes(16_000)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return path


def test_wavs_of_unknown_codecs_leave_the_others_their_answers(
    tmp_path: Path, redis_url: str
) -> None:
    film = make_clip(tmp_path / "film.mp4", 2)
    odd = [wav(tmp_path / "tag.wav", 0x9999, 16), wav(tmp_path / "bits.wav", 1, 0)]
    paths = [str(path) for path in (*odd, film)]
    with running_stack(
        tmp_path / "stack", redis_url, analysis=0, address_space=ADDRESS_SPACE
    ) as stack:
        client, cache = stack.client(), str(tmp_path / "cache")
        wanted = [{"media_path": path, "time_seconds": 0} for path in paths]
        *broken, whole = client.ok("/thumbnails", cache_dir=cache, requests=wanted)["thumbnails"]
        assert whole["thumbnail"]
        assert all(slot["thumbnail"] is None and slot["error"] for slot in broken)
        *broken, whole = client.ok("/media/metadata", media_paths=paths)["media"]
        assert whole["error"] is None
        assert whole["duration_seconds"] == pytest.approx(2, abs=0.1)
        assert all(item["exists"] and "object has no" not in str(item) for item in broken)
