"""The real analysis worker on sound: what it publishes, skips, fails and reports."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.cache import catalogue, transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.transcripts import Transcript
from shared.domain import Manifest, ModelKind, ProgressType, Stage, TaskState
from shared.ledger import ledger
from shared.ledger.records import TaskRecord
from shared.redis import heartbeats
from tests.support.analysis.desk import INSTANCE, MODEL, SPEECH_MODEL, Desk
from tests.support.analysis.desk_fixtures import worker_of_file
from tests.support.fake_models import said
from tests.support.media.by_path import hash_media
from tests.support.media.long_recording import long_recording
from tests.support.media.media import make_clip, make_still
from tests.support.media.sounds import SoundEncoding, tone, write_sounds
from tests.support.media.speech import spoken
from tests.support.running.long_form import by_form
from tests.support.search.word_errors import word_errors
from tests.support.skip_or_fail import fetched_or_skipped
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

VIDEO = (ProgressType.VIDEO,)
AUDIO = (ProgressType.AUDIO,)
BOTH = (ProgressType.VIDEO, ProgressType.AUDIO)
HOURS = by_form(short=4, long=12)
MOST_KB = by_form(short=700_000, long=1_000_000)
SENTENCES = "The committee will meet again on Thursday. Please bring the second report."
first = worker_of_file(Desk.worker_that_hears_tones)


def manifest(desk: Desk, path: Path, model: str = "tones") -> Manifest | None:
    if not desk.cache.exists():
        return None
    cache = CacheDir.open(desk.cache, create=False)
    return cache.manifest(hash_media(str(path)), Stage.TRANSCRIPT, model)


def transcript(desk: Desk, path: Path, model: str = "tones") -> Transcript:
    found = manifest(desk, path, model)
    assert found is not None
    cache = CacheDir.open(desk.cache, create=False)
    return transcripts.read(cache, hash_media(str(path)), found)


def texts(desk: Desk, path: Path, model: str = "tones") -> list[str]:
    return [segment.text for segment in transcript(desk, path, model).segments]


def analyzed(desk: Desk, *paths: Path, model: str = "tones", **more: Any) -> TaskRecord:
    """The sound of these files, one Item a file, to the end."""
    fields = {"wants": AUDIO, "speech_model": model, **more}
    return desk.wait_final(desk.submit(*([path] for path in paths), **fields))


def errors(record: TaskRecord) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in record.failed_files:
        found.setdefault(Path(file.media_path).name, []).append(file.error)
    return found


def words(desk: Desk, name: str, *heard: str, seconds: float = 6, lead: int = 1) -> Path:
    """A sound file in which each word is said in its second, from `lead` on."""
    pcm = said([(lead + n, word) for n, word in enumerate(heard)], seconds)
    return write_sounds(desk.folder / name, [pcm], rate=16_000)


def film(desk: Desk, name: str, pcm: Any, seconds: int) -> Path:
    """Pictures and sound; one picture every second."""
    codec = "pcm_s16le" if name.endswith(".mov") else "flac"
    how = SoundEncoding(codec=codec, pictures_at=range(seconds))
    return write_sounds(desk.folder / name, [pcm], rate=16_000, encoding=how)


def test_a_film_becomes_pictures_and_the_words_that_are_said_in_it(desk: Desk) -> None:
    with fetched_or_skipped():
        speech = spoken(SENTENCES)
    pcm = np.concatenate([np.zeros(32_000, np.float32), speech.pcm, np.zeros(16_000, np.float32)])
    path = film(desk, "film.mkv", pcm, int(len(pcm) / 16_000))
    process = desk.worker()
    record = desk.wait_final(desk.submit([path], wants=BOTH), 90)
    assert record.status is TaskState.COMPLETED
    assert not record.failed_files
    found = transcript(desk, path, SPEECH_MODEL)
    text = " ".join(segment.text for segment in found.segments)
    assert word_errors(SENTENCES, text).rate <= 0.1
    assert found.language == "en"
    assert found.language_probability is not None
    assert found.duration_seconds == pytest.approx(len(pcm) / 16_000, abs=0.1)
    first = found.segments[0].words[0]
    assert first.start == pytest.approx(2 + speech.words[0].start, abs=0.3)
    shown = manifest(desk, path, SPEECH_MODEL)
    assert shown is not None
    assert (shown.language, shown.audio_streams, shown.rows) == ("en", "mix", len(found.segments))
    assert shown.task_id == record.task_id
    cache = CacheDir.open(desk.cache, create=False)
    stages = {m.stage for m in cache.manifests(hash_media(str(path)))}
    assert stages == {Stage.FRAMES, Stage.VISUAL, Stage.TRANSCRIPT, Stage.SPEAKERS, Stage.CAPTIONS}
    assert process.text().count("Item 0 done") == 1, "one Item for both"


def test_a_sound_file_gets_a_transcript_and_no_visual_artefact(shared: Desk) -> None:
    path = words(shared, "voice.wav", "charlie", "delta.")
    record = analyzed(shared, path, visual_model="")
    assert (record.status, record.type) == (TaskState.COMPLETED, ProgressType.AUDIO)
    assert (record.current, record.total, record.progress) == (1, 1, 100.0)
    assert texts(shared, path) == ["charlie delta."]
    cache = CacheDir.open(shared.cache, create=False)
    stages = {m.stage for m in cache.manifests(hash_media(str(path)))}
    assert stages == {Stage.TRANSCRIPT, Stage.CAPTIONS}
    assert [seen.path for seen in catalogue.read_paths(cache.media_dir(hash_media(str(path))))] == [
        str(path)
    ]


def test_a_film_whose_pictures_alone_are_wanted_is_not_heard(desk: Desk) -> None:
    path = film(desk, "film.mkv", said([(1, "Alpha")], 3), 3)
    desk.worker_that_hears_tones()
    assert desk.wait_final(desk.submit([path])).status is TaskState.COMPLETED
    assert manifest(desk, path) is None
    assert all(heart.models.keys() == {ModelKind.VISUAL} for heart in desk.hearts())


def test_silence_has_a_transcript_without_segments_and_without_a_language(shared: Desk) -> None:
    path = write_sounds(shared.folder / "silence.flac", [np.zeros(48_000, np.float32)])
    assert analyzed(shared, path).status is TaskState.COMPLETED
    shown = manifest(shared, path)
    assert shown is not None
    assert (shown.rows, shown.language) == (0, None)
    assert transcript(shared, path).speech_seconds == 0


def test_files_that_cannot_be_heard_fail_alone_and_each_with_its_reason(shared: Desk) -> None:
    good = words(shared, "good.wav", "Alpha")
    still = make_still(shared.folder / "still.jpg")
    mute = make_clip(shared.folder / "mute.mp4", 1)
    noise = shared.folder / "noise.wav"
    noise.write_bytes(os.urandom(50_000))
    empty = shared.folder / "empty.mp3"
    empty.touch()
    missing = shared.folder / "missing.wav"
    task_id = shared.submit(
        *([path] for path in (good, mute, noise, empty, missing)),
        [still, make_still(shared.folder / "other.jpg")],
        wants=AUDIO,
        speech_model="tones",
    )
    record = shared.wait_final(task_id)
    assert record.status is TaskState.COMPLETED
    assert record.current == record.total == 7
    found = errors(record)
    assert [file.reason for file in record.not_applicable] == ["It has no audio track."]
    assert set(found) == {
        "noise.wav",
        "empty.mp3",
        "missing.wav",
        "still.jpg",
        "other.jpg",
    }
    assert "not a media file" in found["noise.wav"][0]
    assert "empty" in found["empty.mp3"][0]
    assert "does not exist" in found["missing.wav"][0]
    assert "still picture" in found["still.jpg"][0]
    assert texts(shared, good) == ["Alpha"]
    assert not [name for name in shared.artefacts() if "tmp" in name]


def test_an_english_only_model_asked_for_german_fails_the_file_with_a_sentence(
    shared: Desk,
) -> None:
    path = words(shared, "voice.wav", "Eins", "zwei")
    record = analyzed(shared, path, model="tones-en", language="de")
    (reason,) = errors(record)["voice.wav"]
    assert "german" in reason
    assert "multilingual" in reason
    assert manifest(shared, path, "tones-en") is None


def test_sound_that_fails_does_not_fail_the_pictures_and_the_reverse(shared: Desk) -> None:
    mute = make_clip(shared.folder / "mute.mp4", 2)
    voice = words(shared, "voice.wav", "Alpha")
    still = make_still(shared.folder / "still.jpg")
    task_id = shared.submit([mute], [voice], [still], wants=BOTH, speech_model="tones")
    record = shared.wait_final(task_id)
    assert record.status is TaskState.COMPLETED
    assert errors(record) == {
        "still.jpg": ["It is a still picture; there is no sound to transcribe in it."],
        "voice.wav": ["It holds no video, only sound."],
    }
    cache = CacheDir.open(shared.cache, create=False)
    for path in (mute, still):
        manifest = cache.manifest(hash_media(str(path)), Stage.VISUAL, MODEL)
        assert manifest
        assert cache.has_data(hash_media(str(path)), manifest)
    assert texts(shared, voice) == ["Alpha"]


def test_a_visual_model_that_is_unknown_does_not_cost_the_transcript(shared: Desk) -> None:
    path = film(shared, "film.mkv", said([(1, "Alpha")], 3), 3)
    record = shared.wait_final(
        shared.submit([path], wants=BOTH, speech_model="tones", visual_model="no-such-model")
    )
    assert record.status is TaskState.FAILED
    assert "no-such-model" in (record.error or "")
    assert texts(shared, path) == ["Alpha"]


def test_what_is_published_is_skipped_unless_something_else_is_asked_for(desk: Desk) -> None:
    path = words(desk, "voice.wav", "Alpha", "bravo", "Eins")
    desk.worker_that_hears_tones()

    def made_anew(**asked: Any) -> bool:
        before = manifest(desk, path)
        assert analyzed(desk, path, **asked).status is TaskState.COMPLETED
        after = manifest(desk, path)
        return after != before

    assert made_anew()
    assert not made_anew(), "detected is as good as any"
    assert not made_anew(language="en"), "what was detected"
    assert made_anew(language="de")
    assert texts(desk, path) == ["Eins"]
    assert not made_anew(language="de")
    assert not made_anew(), "detect: what there is will do"
    assert made_anew(audio_streams="each")
    assert made_anew(force=True)
    assert len([name for name in desk.artefacts() if name.startswith("manifest.transcript")]) == 1
    counted = ledger.totals_by_name(desk.client.hgetall(ledger.totals_key(INSTANCE)))
    assert counted["files", "audio", "done"] == counted["files", "audio", "skipped"] == 4
    assert counted["footage_ms", "audio"] == 4 * 6000


def test_the_transcripts_of_two_models_lie_side_by_side(shared: Desk) -> None:
    path = words(shared, "voice.wav", "Alpha", "bravo")
    analyzed(shared, path, model="tones")
    analyzed(shared, path, model="tones-en")
    assert texts(shared, path, "tones") == texts(shared, path, "tones-en") == ["Alpha bravo"]


def test_each_stream_of_a_file_is_heard_when_that_is_asked_for(shared: Desk) -> None:
    lines = [said([(1, "Alpha")], 6), said([(3, "bravo")], 6)]
    how = SoundEncoding(codec="flac")
    path = write_sounds(shared.folder / "two.mkv", lines, rate=16_000, encoding=how)
    analyzed(shared, path, audio_streams="each")
    assert [(s.stream, s.text) for s in transcript(shared, path).segments] == [
        (0, "Alpha"),
        (1, "bravo"),
    ]
    analyzed(shared, path, audio_streams="first")
    assert texts(shared, path) == ["Alpha"]


def test_progress_moves_within_a_file_and_then_is_that_of_the_sound(desk: Desk) -> None:
    heard = [(n, "Alpha") for n in range(1, 119, 2)]
    path = film(desk, "film.mkv", said(heard, 120), 120)
    desk.worker_that_hears_tones(seconds=0.8)
    task_id = desk.submit([path], wants=BOTH, speech_model="tones")
    seen: dict[ProgressType, list[float]] = {}

    def final() -> bool:
        record = desk.record(task_id)
        if record.status is TaskState.RUNNING:
            seen.setdefault(record.type, []).append(record.progress)
        return record.status.is_final

    wait_for(final, 60, "the end")
    assert desk.record(task_id).overall_progress == 100
    assert list(seen) == [ProgressType.VIDEO, ProgressType.AUDIO]
    assert seen[ProgressType.AUDIO] == sorted(seen[ProgressType.AUDIO])
    inside = {value for value in seen[ProgressType.AUDIO] if 0 < value < 100}
    assert len(inside) >= 5, inside


def test_a_speech_model_is_loaded_by_the_first_file_or_when_it_is_asked_for(desk: Desk) -> None:
    desk.worker_that_hears_tones()

    def loaded() -> str | None:
        for heart in desk.hearts():
            if state := heart.models.get(ModelKind.SPEECH):
                return state.model_key
        return None

    wait_for(lambda: any(h.models.get(ModelKind.VISUAL) for h in desk.hearts()), 20, "a heart")
    assert loaded() is None
    analyzed(desk, words(desk, "voice.wav", "Alpha"))
    wait_for(lambda: loaded() == "tones", 10, "the heartbeat to tell")
    heartbeats.desire(desk.client, "default", ModelKind.SPEECH, "tones-en")
    wait_for(lambda: loaded() == "tones-en", 15, "the model that was asked for")
    counted = desk.hearts()[0].stats
    assert counted["sound_seconds"] == 6
    assert counted["speech_calls"] >= 1


@pytest.mark.parametrize("wants", [BOTH, VIDEO, AUDIO])
def test_an_edit_between_the_samples_of_the_hash_has_pictures_and_sound_made_again(
    shared: Desk, wants: tuple[ProgressType, ...]
) -> None:
    """Also when the other one, in the same Task or one before, has noted the file as it is now."""
    heard = said([(4, "Alpha")], 153)
    path = film(shared, "film.mov", heard, 3)
    analyzed(shared, path, wants=BOTH)
    assert texts(shared, path) == ["Alpha"]
    hash_before = hash_media(str(path))
    data = bytearray(path.read_bytes())
    alpha, bravo = ((said([(0, w)], 0.3) * 32_767).astype("<i2") for w in ("Alpha", "bravo"))
    odd = data.index(alpha.tobytes()[200:300]) % 2  # MOV keeps its sound raw
    at = 1_800_000 + odd  # in no sample of the hash
    data[at : at + bravo.nbytes] = bravo.tobytes()
    path.write_bytes(data)
    edited_at = time.time()
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 10**10))
    assert hash_media(str(path)) == hash_before, "the edit lies between the samples"
    analyzed(shared, path, wants=wants)
    analyzed(shared, path)
    analyzed(shared, path, wants=VIDEO)
    assert texts(shared, path) == ["Alpha", "bravo"]
    cache = CacheDir.open(shared.cache, create=False)
    made = [manifest.made_at for manifest in cache.manifests(hash_before)]
    assert len(made) == 4
    assert min(made) > edited_at


def test_a_speech_model_that_is_not_here_holds_up_sound_alone(desk: Desk) -> None:
    path = film(desk, "film.mkv", tone(2, rate=16_000), 2)
    still = make_still(desk.folder / "still.jpg")
    desk.worker_that_hears_tones()
    sound = desk.submit([path], wants=AUDIO, speech_model="whisper-large-v3")
    message = "rushes models pull whisper-large-v3"
    wait_for(lambda: any(message in h.message for h in desk.hearts()), 20, "a heart that says why")
    assert not desk.record(sound).status.is_final
    desk.ledger.stop()
    asked = {"speech_model": "whisper-large-v3"}
    record = desk.wait_final(desk.submit([path], [still], **asked))
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())
    record = desk.wait_final(
        desk.submit([still], wants=AUDIO, visual_model="no-such-model", **asked)
    )
    assert "still picture" in record.failed_files[0].error


def test_quiet_hours_take_little_memory_and_the_worker_lives_throughout(desk: Desk) -> None:
    path = long_recording(desk.folder / "long.flac", HOURS)
    process = desk.worker_that_hears_tones(interpreter=True, sees=True)
    wait_for(desk.hearts, 20, "the worker")
    stopped = desk.submit([path], wants=AUDIO, speech_model="tones")
    wait_for(lambda: desk.record(stopped).progress > 1, 20, "some progress")
    stopwatch = Stopwatch(desk.stack)
    desk.ledger.stop(stopped)
    assert desk.wait_final(stopped).status is TaskState.CANCELLED
    assert stopwatch.seconds() < 1.5
    assert desk.artefacts() == []
    task_id = desk.submit([path], wants=AUDIO, speech_model="tones")

    def final() -> bool:
        assert desk.hearts(), "no heartbeat"
        return desk.record(task_id).status.is_final

    wait_for(final, 110, "the end", every_s=0.1)
    assert desk.record(task_id).failed_files == ()
    starts = [segment.start for segment in transcript(desk, path).segments]
    assert len(starts) == HOURS
    assert starts[-1] == pytest.approx((HOURS - 1) * 3600, abs=6)
    status = Path(f"/proc/{process.popen.pid}/status").read_text()
    peak_kb = int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1])
    print(f"{peak_kb} kB at most")
    assert peak_kb < MOST_KB
