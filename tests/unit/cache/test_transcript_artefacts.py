"""Transcript artefacts whose bytes are not as they were written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.cache import transcripts
from shared.cache.cache_dir import CacheDir
from shared.errors import CacheError
from tests.support.search.transcribed import publish, spoken

HASH = "00112233aabbccdd"
DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("read", [transcripts.read, transcripts.read_text])
@pytest.mark.parametrize(
    ("part", "damage"),
    [
        (b"rolling", b"rol\xffing"),
        (b'"format":1', b'"format":1,"more":' + DEEP),
        (b'"text":"We', b'"text":null,"was":"We'),
        (b'"text":"We', b'"text":"\\ud800We'),
        (b'"start":0.42', b'"start":-0.42'),
        (b'"start":0.42', b'"start":2.0'),
        (b'"end":1.9', b'"end":1e300'),
        (b'"segments":', b'"segment":'),
    ],
)
def test_any_damage_is_one_clear_error(
    tmp_path: Path, read: Callable[..., object], part: bytes, damage: bytes
) -> None:
    cache = CacheDir.open(tmp_path, create=True)
    manifest = publish(cache, HASH, (spoken(0.42, "We are rolling.", 1.9),))
    data = cache.data_path(HASH, manifest).path
    whole = data.read_bytes()
    read(cache, HASH, manifest)
    data.write_bytes(whole.replace(part, damage, 1))
    assert data.read_bytes() != whole
    with pytest.raises(CacheError, match=f"^{manifest.file} is damaged: "):
        read(cache, HASH, manifest)


def test_a_named_pipe_or_a_folder_in_its_place_is_an_error_at_once(tmp_path: Path) -> None:
    cache = CacheDir.open(tmp_path, create=True)
    manifest = publish(cache, HASH)
    data = cache.data_path(HASH, manifest).path
    data.unlink()
    data.mkdir()
    with pytest.raises(CacheError, match="cannot be read"):
        transcripts.read_text(cache, HASH, manifest)
    data.rmdir()
    os.mkfifo(data)
    with pytest.raises(CacheError, match="is not a regular file"):
        transcripts.read_text(cache, HASH, manifest)
    path = next(data.parent.glob("manifest.*"))
    path.unlink()
    os.mkfifo(path)
    assert transcripts.find(cache, HASH, manifest.model) is None


def test_a_newer_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    cache = CacheDir.open(tmp_path, create=True)
    manifest = publish(cache, HASH, format=2)
    with pytest.raises(CacheError, match="format 2, this version of Rushes reads up to 1: update"):
        transcripts.read_text(cache, HASH, manifest)
