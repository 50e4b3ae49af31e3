"""Speakers of a file have ids that last, also where an earlier version wrote them without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.cache import speakers
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import Speaker, SpeakerTurn, SpeakerTurns, parse_voice_id, voice_id
from shared.domain import Manifest, Stage
from shared.errors import BadInput, CacheError

HASH = "9ae0daaf81f5b2c3"
TURNS = (SpeakerTurn(1.2, 3.0, 0), SpeakerTurn(4.0, 6.0, 1), SpeakerTurn(7.0, 9.0, 0))


def published(tmp_path: Path, written: bytes) -> tuple[CacheDir, Manifest]:
    (tmp_path / "cache").mkdir()
    cache = CacheDir.open(tmp_path / "cache", create=True)
    with cache.draft(HASH, Stage.SPEAKERS, "tones", "json", "w") as draft:
        draft.file.write(written)
        draft.publish(rows=2, task_id="t", worker="w")
    manifest = cache.manifest(HASH, Stage.SPEAKERS, "tones")
    assert manifest is not None
    return cache, manifest


def found(*ids: int) -> SpeakerTurns:
    made = tuple(Speaker(2.0, (0.6, 0.8), id_) for id_ in ids)
    return SpeakerTurns(model="resemblyzer", speakers=made, turns=TURNS)


def test_ids_are_read_as_they_were_written(tmp_path: Path) -> None:
    cache, manifest = published(tmp_path, msgspec.json.encode(found(7, 3)))
    assert speakers.read(cache, HASH, manifest) == found(7, 3)


def test_speakers_of_an_earlier_version_have_the_same_ids_everywhere(tmp_path: Path) -> None:
    old: dict[str, Any] = json.loads(msgspec.json.encode(found(0, 0)))
    for speaker in old["speakers"]:
        del speaker["id"]
    cache, manifest = published(tmp_path, json.dumps(old).encode())
    read = speakers.read(cache, HASH, manifest)
    one, other = (speaker.id for speaker in read.speakers)
    assert one != other
    assert read == speakers.with_ids(HASH, found(0, 0)) == speakers.read(cache, HASH, manifest)
    assert speakers.with_ids(HASH, found(0, 0), [one]).speakers[0].id != one, "somebody has it"


HOSTILE = {
    "1,001 speakers": SpeakerTurns(model="r", speakers=(Speaker(1.0, (), 0),) * 1_001, turns=()),
    "1,000,001 turns": SpeakerTurns(
        model="r", speakers=(Speaker(1.0, (), 7),), turns=(TURNS[0],) * 1_000_001
    ),
    "4,097 numbers in a row": SpeakerTurns(
        model="r", speakers=(Speaker(1.0, (0.0,) * 4_097, 7),), turns=()
    ),
    "rows are of 1 and of 2 numbers": SpeakerTurns(
        model="r", speakers=(Speaker(1.0, (1.0,), 7), Speaker(1.0, (0.6, 0.8), 8)), turns=()
    ),
}


@pytest.mark.parametrize("damage", HOSTILE)
def test_what_no_file_has_is_damage(tmp_path: Path, damage: str) -> None:
    cache, manifest = published(tmp_path, msgspec.json.encode(HOSTILE[damage]))
    with pytest.raises(CacheError, match=f"is damaged: .*{damage}"):
        speakers.read(cache, HASH, manifest)


@pytest.mark.parametrize("ids", [(5, 5), (-1, 3), (2**31, 3)])
def test_ids_that_cannot_be_are_damage(tmp_path: Path, ids: tuple[int, int]) -> None:
    cache, manifest = published(tmp_path, msgspec.json.encode(found(*ids)))
    with pytest.raises(CacheError, match="is damaged: its speakers have the ids"):
        speakers.read(cache, HASH, manifest)


def test_a_voice_id_names_the_file_and_the_speaker() -> None:
    assert voice_id(HASH, 0x1A2B) == f"{HASH}-voice-00001a2b"
    assert parse_voice_id(voice_id(HASH, 2**31 - 1)) == (HASH, 2**31 - 1)
    for text in ("", f"{HASH}-voice-1", f"{HASH}-voice-80000000", f"{HASH}-12-00000a"):
        with pytest.raises(BadInput, match="is no voice_id"):
            parse_voice_id(text)


def test_the_newest_speakers_count_unless_the_words_are_newer(tmp_path: Path) -> None:
    cache, first = published(tmp_path, msgspec.json.encode(found(7, 3)))
    assert speakers.newest(cache, HASH) == first
    for stage, model, made_at in (
        (Stage.SPEAKERS, "other", first.made_at + 5),
        (Stage.TRANSCRIPT, "other", first.made_at + 6),
    ):
        with cache.draft(HASH, stage, model, "json", "w") as draft:
            draft.publish(rows=0, made_at=made_at)
    assert speakers.newest(cache, HASH) == first
    outdated = speakers.newest(cache, HASH, outdated=True)
    assert outdated is not None
    assert outdated.model == "other"
    assert speakers.newest(cache, "0" * 16) is None
