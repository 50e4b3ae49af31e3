"""The real analysis worker on captions: made with a transcript or without sound, once, anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.cache import captions
from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest, ProgressType, Stage, TaskState
from shared.ledger.records import TaskRecord
from tests.support.analysis.desk import Desk
from tests.support.analysis.desk_fixtures import worker_of_file
from tests.support.fake_models import said
from tests.support.media.by_path import hash_media
from tests.support.media.captions import subtitled, with_sound
from tests.support.media.sounds import write_sounds

first = worker_of_file(Desk.worker_that_hears_tones)


@pytest.fixture
def desk(first: Desk, tmp_path: Path) -> Desk:
    return first.with_folder(tmp_path)


def analyze(desk: Desk, path: Path, **more: Any) -> TaskRecord:
    fields = {"wants": (ProgressType.AUDIO,), "speech_model": "tones", **more}
    return desk.wait_final(desk.submit([path], **fields))


def manifests(desk: Desk, path: Path) -> dict[Stage, Manifest]:
    cache = CacheDir.open(desk.cache, create=False)
    return {found.stage: found for found in cache.manifests(hash_media(str(path)))}


def texts(desk: Desk, path: Path) -> list[str]:
    cache, hash_str = CacheDir.open(desk.cache, create=False), hash_media(str(path))
    manifest = captions.find(cache, hash_str)
    assert manifest is not None, desk.logs()
    tracks = captions.read(cache, hash_str, manifest).tracks
    return [segment.text for track in tracks for segment in track.segments]


def test_captions_come_with_the_transcript_are_kept_and_are_read_anew_with_force(
    desk: Desk,
) -> None:
    text = subtitled(desk.folder / "text.mkv", [(1, "Grüße", 2), (2, "aus Köln", 3)])
    path = with_sound(text, desk.folder / "film.mkv", said([(1, "Alpha")], 4))
    record = analyze(desk, path)
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
    assert texts(desk, path) == ["Grüße", "aus Köln"]
    made = manifests(desk, path)
    assert set(made) == {Stage.TRANSCRIPT, Stage.CAPTIONS}
    assert (made[Stage.CAPTIONS].rows, made[Stage.TRANSCRIPT].rows) == (2, 1)
    analyze(desk, path)
    assert manifests(desk, path) == made, "nothing is read again"
    analyze(desk, path, force=True)
    assert manifests(desk, path)[Stage.CAPTIONS].made_at > made[Stage.CAPTIONS].made_at


def test_a_film_without_sound_keeps_its_captions_though_there_is_nothing_to_hear(
    desk: Desk,
) -> None:
    path = subtitled(desk.folder / "silent.mkv", [(1, "Intertitle", 2)])
    record = analyze(desk, path)
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
    assert "no audio track" in record.not_applicable[0].reason
    made = manifests(desk, path)
    assert set(made) == {Stage.CAPTIONS}
    assert texts(desk, path) == ["Intertitle"]
    analyze(desk, path)
    assert manifests(desk, path) == made


def test_a_track_that_is_broken_warns_and_the_transcript_is_there(desk: Desk) -> None:
    text = subtitled(desk.folder / "text.mkv", [(1, "x" * 70_000, 2)])
    path = with_sound(text, desk.folder / "film.mkv", said([(1, "bravo")], 4))
    record = analyze(desk, path)
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
    made = manifests(desk, path)
    assert made[Stage.TRANSCRIPT].rows == 1
    assert made[Stage.CAPTIONS].rows == 0
    assert made[Stage.CAPTIONS].warnings == ("Subtitles of track 0 that could not be read: 1.",)


def test_a_file_without_captions_is_looked_through_once(desk: Desk) -> None:
    path = write_sounds(desk.folder / "voice.wav", [said([(1, "Alpha")], 3)], rate=16_000)
    analyze(desk, path)
    made = manifests(desk, path)
    assert made[Stage.CAPTIONS].rows == 0
    analyze(desk, path)
    assert manifests(desk, path) == made
