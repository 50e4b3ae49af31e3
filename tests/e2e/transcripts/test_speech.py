"""Speech through the public API only: transcribe, watch, read, search what was said, export it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.media.media import make_still, picture_video
from tests.support.media.sounds import SoundEncoding, write_sounds
from tests.support.media.speech import RATE, Said, recorded_speech, spoken, together
from tests.support.search.word_errors import word_errors
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack

SAID = (
    "We are rolling on the third take.",
    "The old lighthouse keeper walked down to the water every morning.",
    "Nobody in the village had ever seen him smile.",
)


@pytest.fixture(scope="module")
def interview() -> Said:
    """Three sentences with pauses, the first after two seconds."""
    parts: list[Said | float] = [2.0]
    for sentence in SAID:
        parts += [spoken(sentence), 1.2]
    return together(parts)


@pytest.fixture(scope="module")
def reading() -> Said:
    """A real voice."""
    parts: list[Said | float] = []
    for sentence in recorded_speech():
        parts += [sentence, 0.8]
    return together(parts)


@pytest.fixture(scope="module")
def shoot(
    tmp_path_factory: pytest.TempPathFactory,
    photos: dict[str, Path],
    interview: Said,
    reading: Said,
) -> dict[str, Path]:
    """A day with sound: an interview on video, a reading, and files that cannot be transcribed."""
    folder = tmp_path_factory.mktemp("sound day")
    frames = [n / 5 for n in range(int(interview.seconds * 5))]
    return {
        "interview": write_sounds(
            folder / "Interview Ü 1.mov",
            [interview.pcm],
            rate=RATE,
            encoding=SoundEncoding(pictures_at=frames),
        ),
        "reading": write_sounds(folder / "reading.wav", [reading.pcm], rate=RATE),
        "silence": write_sounds(folder / "room tone.flac", [np.zeros(RATE * 5, np.float32)]),
        "mute": picture_video(folder / "mute.mp4", [(photos["cat"], 2)]),
        "still": make_still(folder / "flower.jpg", photos["flower"]),
        "missing": folder / "missing.wav",
    }


@pytest.fixture(scope="module")
def transcribed(
    stack: Stack, shoot: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Client, Path, list[dict[str, Any]]]:
    """All of it in one request, the interview's and the mute clip's pictures too."""
    client = stack.client()
    cache_dir = tmp_path_factory.mktemp("cache")
    jobs = [{"path": str(path)} for path in shoot.values()]
    jobs[0]["language"] = "english"
    task_id = client.analyze(
        cache_dir, shoot["interview"], shoot["mute"], transcription_jobs=jobs, force=False
    )
    with Watcher(client.url) as watcher:
        watcher.join(task_id)
        events = watcher.until_final(task_id, timeout_s=100)
    return client, cache_dir, events


def transcriptions(
    client: Client, cache_dir: Path, *paths: Path, **more: Any
) -> list[dict[str, Any]]:
    body = {"cache_dir": str(cache_dir), "media_paths": [str(path) for path in paths]}
    return list(client.ok("/transcriptions", **body, **more)["transcriptions"])


def found(client: Client, cache_dir: Path, query: str, **more: Any) -> list[dict[str, Any]]:
    body = {"cache_dir": str(cache_dir), "query": query}
    return list(client.ok("/search/transcript", **body, **more)["matches"])


def test_the_task_ends_with_a_reason_for_each_file_that_has_no_speech_to_give(
    transcribed, shoot
) -> None:
    _, _, events = transcribed
    last = events[-1]
    assert last["status"] == "completed"
    assert {event["type"] for event in events} == {"video", "audio"}
    percents = [event["overall_progress"] for event in events]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    failed = {entry["media_path"]: entry["error"] for entry in last["failed_files"]}
    assert set(failed) == {str(shoot[name]) for name in ("still", "missing")}
    mute = {"media_path": str(shoot["mute"]), "reason": "It has no audio track."}
    assert last["not_applicable"] == [mute]
    assert "still picture" in failed[str(shoot["still"])]
    assert "does not exist" in failed[str(shoot["missing"])]


def test_what_was_said_comes_back_with_its_times(transcribed, shoot, interview, reading) -> None:
    client, cache_dir, _ = transcribed
    first, second, silent, mute = transcriptions(
        client, cache_dir, *(shoot[name] for name in ("interview", "reading", "silence", "mute"))
    )
    assert (first["media_path"], first["language"]) == (str(shoot["interview"]), "english")
    assert (second["language"], mute["segments"], silent["segments"]) == ("english", None, [])
    for answer, said in ((first, interview), (second, reading)):
        text = " ".join(text for _, text, _ in answer["segments"])
        assert word_errors(said.text, text).rate <= 0.05, text
    assert len(first["segments"]) == len(SAID)
    start, _, end = first["segments"][0]
    assert start == pytest.approx(2.0, abs=0.4)
    assert end == pytest.approx(2.0 + spoken(SAID[0]).seconds, abs=0.6)


def test_words_are_offered_with_their_times_and_probabilities(transcribed, shoot) -> None:
    client, cache_dir, _ = transcribed
    answer = transcriptions(client, cache_dir, shoot["interview"], words=True)[0]
    for (start, text, end), words in zip(answer["segments"], answer["words"], strict=True):
        assert [word for _, _, word, _ in words] == text.split()
        times = [time for begin, stop, _, _ in words for time in (begin, stop)]
        assert times == sorted(times)
        assert (times[0], times[-1]) == (start, end)
        assert all(0 <= probability <= 1 for *_, probability in words)


def test_a_phrase_is_found_where_it_was_said(transcribed, shoot) -> None:
    client, cache_dir, _ = transcribed
    (match,) = found(client, cache_dir, "OLD  lighthouse KEEPER")
    assert match["media_path"] == str(shoot["interview"])
    assert "lighthouse keeper" in match["text"]
    assert 4 < match["start_seconds"] < match["end_seconds"]
    assert match["start_timestamp"] == f"00:00:{int(match['start_seconds']):02d}"


def test_a_phrase_that_two_segments_share_is_found(transcribed, shoot) -> None:
    client, cache_dir, _ = transcribed
    (first, second) = transcriptions(client, cache_dir, shoot["interview"])[0]["segments"][1:]
    border = f"{first[1].split()[-1]} {second[1].split()[0]}"
    (match,) = found(client, cache_dir, border)
    assert (match["start_seconds"], match["end_seconds"]) == (first[0], second[2])


def test_a_search_can_forgive_typos(transcribed) -> None:
    client, cache_dir, _ = transcribed
    assert found(client, cache_dir, "lighthose keper") == []
    assert len(found(client, cache_dir, "lighthose keper", mode="fuzzy")) == 1


def test_other_words_find_what_was_meant(transcribed, shoot) -> None:
    client, cache_dir, _ = transcribed
    asked = "the man always looked sad"
    assert found(client, cache_dir, asked, mode="fuzzy") == []
    first = found(client, cache_dir, asked, mode="semantic", details=True)[0]
    assert (first["media_path"], first["matched_by"]) == (str(shoot["interview"]), "semantic")
    assert "smile" in first["text"]
    assert (first["online"], 0 < first["score"] < 1) == (True, True)
    by_all = found(client, cache_dir, "lighthouse keeper", mode="auto")
    assert by_all[0]["matched_by"] == "literal"


def test_loading_counts_the_transcripts_and_names_what_has_none(transcribed, shoot) -> None:
    client, cache_dir, _ = transcribed
    answer = client.ok(
        "/analysis-data/load-transcriptions",
        cache_dir=str(cache_dir),
        media_paths=[str(shoot["reading"]), str(shoot["mute"])],
    )
    assert (answer["transcription_files"], answer["missing"]) == (1, [str(shoot["mute"])])
    everything = client.ok("/analysis-data/load-transcriptions", cache_dir=str(cache_dir))
    assert everything["transcription_files"] == 3


@pytest.mark.parametrize("format", ["txt", "csv", "docx", "pdf", "srt", "vtt", "json"])
def test_what_was_transcribed_goes_unchanged_into_every_export(transcribed, shoot, format) -> None:
    client, cache_dir, _ = transcribed
    segments = transcriptions(client, cache_dir, shoot["interview"])[0]["segments"]
    answer = client.post(
        "/export/transcript", segments=segments, format=format, display_name="Interview"
    )
    assert answer.status_code == 200, answer.text
    assert f'filename="Interview.{format}"' in answer.headers["content-disposition"]
    texts = [text for _, text, _ in segments]
    assert read_back(format, answer.content, texts) == texts


def read_back(format: str, content: bytes, texts: list[str]) -> list[str]:
    """Which of the texts are in it, by a reader that has nothing to do with the writer."""
    if format == "csv":
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        return [row["text"] for row in rows]
    if format == "json":
        return [segment["text"] for segment in json.loads(content)["segments"]]
    if format == "docx":
        import docx

        text = "\n".join(p.text for p in docx.Document(io.BytesIO(content)).paragraphs)
    elif format == "pdf":
        import pypdfium2

        pages = pypdfium2.PdfDocument(content)
        text = "\n".join(page.get_textpage().get_text_bounded() for page in pages)
    else:
        text = content.decode()
    return [sentence for sentence in texts if sentence in " ".join(text.split())]


def test_an_export_lands_in_a_file_and_never_on_another_one(transcribed, shoot, tmp_path) -> None:
    client, cache_dir, _ = transcribed
    segments = transcriptions(client, cache_dir, shoot["interview"])[0]["segments"]
    target = tmp_path / "interview.srt"
    for expected in (target, tmp_path / "interview (2).srt"):
        answer = client.ok(
            "/export/transcript", segments=segments, format="srt", output_path=str(target)
        )
        assert answer["output_path"] == str(expected)
        assert segments[0][1] in expected.read_text()
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_transcribed_is_skipped_and_force_does_it_again(transcribed, shoot) -> None:
    client, cache_dir, _ = transcribed
    jobs = [{"path": str(shoot["silence"])}]

    def artefact() -> str:
        places = client.ok(
            "/cache-paths", cache_dir=str(cache_dir), media_paths=[str(shoot["silence"])]
        )
        return str(places["cache_paths"][0]["transcription"]["path"])

    before = artefact()
    client.analyzed(cache_dir, transcription_jobs=jobs)
    assert artefact() == before
    client.analyzed(cache_dir, transcription_jobs=jobs, force=True)
    assert artefact() != before


def test_an_english_only_model_says_that_it_cannot_hear_german(stack, shoot, tmp_path) -> None:
    client = stack.client()
    german = spoken(
        "Guten Morgen, meine Damen und Herren. Heute sprechen wir über das Wetter in Deutschland. "
        "Morgen wird es regnen und am Abend kommt ein starker Wind aus dem Norden.",
        "de",
        140,
    )
    jobs: list[dict[str, str]] = [
        {"path": str(german.save(tmp_path / "wetter.wav"))},  # in no language that was named
        {"path": str(shoot["interview"]), "language": "german"},
        {"path": str(shoot["reading"])},
    ]
    cache_dir = tmp_path / "cache"
    task_id = client.analyze(cache_dir, transcription_jobs=jobs, speech_model_key="whisper-tiny.en")
    record = client.wait_final(task_id)
    assert record["status"] == "completed"
    failed = {entry["media_path"]: entry["error"] for entry in record["failed_files"]}
    assert set(failed) == {jobs[0]["path"], jobs[1]["path"]}
    assert "understands English alone" in failed[jobs[0]["path"]]
    assert "does not understand german" in failed[jobs[1]["path"]]
    paths = [Path(job["path"]) for job in jobs]
    wetter, interview, reading = transcriptions(client, cache_dir, *paths)
    assert (wetter["segments"], interview["segments"]) == (None, None)
    assert (reading["language"], len(reading["segments"]) > 2) == ("english", True)
