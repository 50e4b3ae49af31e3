"""Who speaks is an artefact of its own: made with a transcript, later, anew, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.cache import speakers, transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import SpeakerTurns
from shared.domain import Manifest, ProgressType, Stage, TaskState
from shared.errors import CacheError
from tests.support.analysis.desk import Desk
from tests.support.analysis.desk_fixtures import worker_of_file
from tests.support.fake_models import said
from tests.support.lite_models import lite_weights
from tests.support.media.by_path import hash_media
from tests.support.media.sounds import write_sounds
from tests.support.stack import models_dir
from tests.support.system.tiny_disk import tiny_disk

VOICES = "resemblyzer"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    return with_voices(desk)


def with_voices(desk: Desk) -> Desk:
    """With the network that tells voices apart among its models."""
    lite_weights(VOICES)
    (desk.folder / "models").mkdir()
    (desk.folder / "models" / VOICES).symlink_to(models_dir() / VOICES)
    return desk


def start(desk: Desk) -> None:
    with_voices(desk).worker_that_hears_tones(tells_speakers=True)


first = worker_of_file(start)


def voice(desk: Desk, name: str = "voice.wav", *heard: str) -> Path:
    pcm = said([(1 + n * 0.4, word) for n, word in enumerate(heard or ("Alpha", "bravo"))], 6)
    return write_sounds(desk.folder / name, [pcm], rate=16_000)


def analyze(desk: Desk, path: Path, **more: Any) -> None:
    fields = {"wants": (ProgressType.AUDIO,), "speech_model": "tones", **more}
    record = desk.wait_final(desk.submit([path], **fields))
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())


def manifest(desk: Desk, path: Path, stage: Stage) -> Manifest | None:
    return CacheDir.open(desk.cache, create=False).manifest(hash_media(str(path)), stage, "tones")


def told(desk: Desk, path: Path) -> SpeakerTurns | None:
    cache, hash_str = CacheDir.open(desk.cache, create=False), hash_media(str(path))
    transcript = transcripts.find(cache, hash_str, "tones")
    assert transcript is not None
    found = speakers.find(cache, hash_str, transcript)
    return speakers.read(cache, hash_str, found) if found else None


def test_a_transcript_comes_with_who_speaks(shared: Desk) -> None:
    path = voice(shared)
    silent = write_sounds(shared.folder / "silent.wav", [said([], 3)], rate=16_000)
    analyze(shared, path)
    analyze(shared, silent)
    found = told(shared, path)
    assert found is not None, shared.logs()
    assert (found.model, len(found.speakers)) == (VOICES, 1)
    assert [turn.speaker for turn in found.turns] == [0] * len(found.turns)
    assert abs(found.turns[0].start - 1) < 0.1
    assert found.warnings == (
        "Somebody speaks for 0.7 s in all: too little to tell how many there are.",
    )
    assert told(shared, silent) is None, "nobody is invented"
    without = voice(shared, "without.wav", "bravo", "Alpha")
    analyze(shared, without, speakers=False)
    assert told(shared, without) is None, "the request says so"


def test_who_speaks_is_the_same_whether_the_sound_is_kept_or_read_again(desk: Desk) -> None:
    path = voice(desk, "voice.wav", *["Alpha", "bravo"] * 4)
    with tiny_disk(desk.folder / "state", kib=64):
        no_room = desk.worker_that_hears_tones(tells_speakers=True)
        analyze(desk, path)
        assert no_room.end() == 0
        assert "Sound is decoded twice" in no_room.text()
    read_again = told(desk, path)
    assert read_again is not None, desk.logs()
    room = desk.worker_that_hears_tones(1, tells_speakers=True)
    analyze(desk, path, force=True)
    assert "Sound is decoded twice" not in room.text()
    kept = told(desk, path)
    assert kept is not None
    assert kept.turns == read_again.turns
    rows = [np.array(found.speakers[0].row) for found in (kept, read_again)]
    assert rows[0] @ rows[1] > 0.9999


def test_a_transcript_that_is_there_gets_its_speakers_and_then_stays(desk: Desk) -> None:
    path = voice(desk)
    first = desk.worker_that_hears_tones()
    analyze(desk, path)
    before = manifest(desk, path, Stage.TRANSCRIPT)
    assert told(desk, path) is None
    assert first.end() == 0
    desk.worker_that_hears_tones(1, invents="Not heard again.")
    analyze(desk, path)
    assert told(desk, path) is None, "it is not wanted"
    analyze(desk, path, speakers=True)
    made = manifest(desk, path, Stage.SPEAKERS)
    assert made is not None, "the request asks for it"
    assert manifest(desk, path, Stage.TRANSCRIPT) == before
    analyze(desk, path, speakers=True)
    assert manifest(desk, path, Stage.SPEAKERS) == made, "nothing is missing any more"
    analyze(desk, path, force=True, speakers=True)
    anew = manifest(desk, path, Stage.SPEAKERS)
    assert anew is not None
    assert anew.made_at > made.made_at
    assert told(desk, path) is not None


def test_without_the_weights_there_is_a_transcript_all_the_same(desk: Desk) -> None:
    (desk.folder / "models" / VOICES).unlink()
    path = voice(desk)
    process = desk.worker_that_hears_tones(tells_speakers=True)
    analyze(desk, path)
    assert told(desk, path) is None
    assert "rushes models pull resemblyzer" in process.text()


def test_what_is_damaged_is_told_and_made_anew_with_force(shared: Desk) -> None:
    path = voice(shared)
    analyze(shared, path)
    made = manifest(shared, path, Stage.SPEAKERS)
    assert made is not None
    cache = CacheDir.open(shared.cache, create=False)
    place = cache.data_path(hash_media(str(path)), made).path
    whole = json.loads(place.read_text())
    whole["turns"][0][2] = 7  # a speaker that there is not
    place.write_text(json.dumps(whole))
    with pytest.raises(CacheError, match="damaged"):
        told(shared, path)
    analyze(shared, path, force=True)
    assert told(shared, path) is not None


def test_a_worker_that_is_killed_before_leaves_nothing_and_the_next_makes_both(desk: Desk) -> None:
    path = voice(desk)
    first = desk.worker_that_hears_tones(tells_speakers=True, hold_at=1)
    task = desk.submit([path], wants=(ProgressType.AUDIO,), speech_model="tones")
    desk.wait_marker()
    first.kill()
    desk.worker_that_hears_tones(1, tells_speakers=True)
    record = desk.wait_final(task, 60)
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ()), desk.logs()
    assert told(desk, path) is not None, desk.logs()
    names = [name for name in desk.artefacts() if "speakers" in name]
    assert len(names) == 2, "data and its manifest"
