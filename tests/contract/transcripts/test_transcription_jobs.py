"""Transcription jobs over HTTP; the ledger is real, workers are played."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.domain import AnalyzeSpec, FileSpec, ProgressType
from shared.ledger.ledger import Ledger
from shared.media import MediaType
from shared.models.languages import CODES
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat
from tests.support.played_worker import claim, claim_all
from tests.support.private_redis import PrivateRedis
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, running_stack
from tests.support.waiting import wait_for

Ask = Callable[..., list[AnalyzeSpec]]
VIDEO, AUDIO = ProgressType.VIDEO, ProgressType.AUDIO


@pytest.fixture
def ledger(api_redis: PrivateRedis, client: Client) -> Ledger:
    """The ledger that the API writes to; `client` has emptied it."""
    return Ledger(connect(api_redis.url), "default")


@pytest.fixture
def ask(client: Client, caches: Path, ledger: Ledger) -> Ask:
    """Posts an analysis and gives what its Items ask of workers."""

    def post(**body: Any) -> list[AnalyzeSpec]:
        task_id = client.ok("/analyze", cache_dir=str(caches / "speech"), **body)["task_id"]
        leases = claim_all(ledger, task_id)
        for lease in leases:
            ledger.settle(lease, "done")
        return [msgspec.json.decode(lease.spec, type=AnalyzeSpec) for lease in leases]

    return post


def works(specs: list[AnalyzeSpec]) -> dict[str, FileSpec]:
    return {Path(work.path).name: work for spec in specs for work in spec.files}


def refusal(client: Client, caches: Path, **body: Any) -> str:
    """The message of a 400."""
    answer = client.post("/analyze", **{"cache_dir": str(caches / "speech"), **body})
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error", "message"}
    return str(answer.json()["message"])


def test_a_path_in_both_lists_is_one_file_with_both_parts(ask: Ask, media: Path) -> None:
    specs = ask(
        visual_media_paths=[str(media / "both.mov"), str(media / "seen.mp4")],
        transcription_jobs=[
            {"path": str(media / "heard.wav")},
            {"path": f"{media}/sub/../both.mov", "language": "German"},
        ],
    )
    found = works(specs)
    assert len(specs) == len(found) == 3
    assert (found["both.mov"].wants, found["both.mov"].language) == ((VIDEO, AUDIO), "de")
    assert found["both.mov"].client_path == str(media / "both.mov")
    assert (found["seen.mp4"].wants, found["seen.mp4"].language) == ((VIDEO,), None)
    assert (found["heard.wav"].wants, found["heard.wav"].language) == ((AUDIO,), None)
    assert found["heard.wav"].media_type is MediaType.AUDIO
    models = {
        Path(spec.files[0].path).name: (spec.visual_model, spec.speech_model) for spec in specs
    }
    assert models == {
        "both.mov": ("conse-lite0", "whisper-base"),
        "seen.mp4": ("conse-lite0", ""),
        "heard.wav": ("", "whisper-base"),
    }


def test_a_still_among_the_jobs_is_accepted_and_shares_an_item_with_others(
    ask: Ask, media: Path
) -> None:
    specs = ask(
        visual_media_paths=[str(media / "a.jpg"), str(media / "b.jpg")],
        transcription_jobs=[{"path": str(media / "b.jpg")}, {"path": str(media / "c.png")}],
    )
    assert [len(spec.files) for spec in specs] == [3]
    assert [work.wants for work in works(specs).values()] == [(VIDEO,), (VIDEO, AUDIO), (AUDIO,)]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("english", "en"),
        ("  Haitian   Creole ", "ht"),
        ("de", "de"),
        ("ger", "de"),
        ("deu", "de"),
        ("pt-BR", "pt"),
        ("zh_Hant_TW", "zh"),
        ("auto", None),
        ("AUTO", None),
        (None, None),
    ],
)
def test_languages_are_understood_in_all_their_forms(
    ask: Ask, media: Path, given: str | None, code: str | None
) -> None:
    specs = ask(transcription_jobs=[{"path": str(media / "a.wav"), "language": given}])
    assert specs[0].files[0].language == code


def test_every_language_of_the_default_model_can_be_asked_for_by_its_name(
    client: Client, ask: Ask, media: Path
) -> None:
    speech = client.get("/models/available").json()["speech"]
    [languages] = [model["languages"] for model in speech if model["is_active"]]
    assert len(languages) == 99
    jobs = [{"path": str(media / f"{n}.wav"), "language": name} for n, name in enumerate(languages)]
    codes = {work.language for work in works(ask(transcription_jobs=jobs)).values()}
    assert codes == set(CODES) - {"yue"}


@pytest.mark.parametrize(
    ("language", "hint"),
    [
        ("germann", "Did you mean 'german'?"),
        ("Englisch", "Did you mean 'english'?"),
        ("klingon", ""),
        ("xx", ""),
        (" ", ""),
        ("en\x00", ""),
        ("en\n", None),  # what surrounds it does not count
        ("english; german", ""),
        ("🇩🇪", ""),
    ],
)
def test_an_unknown_language_names_the_job_and_what_was_meant(
    client: Client, ask: Ask, caches: Path, media: Path, language: str, hint: str | None
) -> None:
    good = {"path": str(media / "a.wav"), "language": "french"}
    jobs = [good, {"path": str(media / "b.wav"), "language": language}]
    if hint is None:
        assert works(ask(transcription_jobs=jobs))["b.wav"].language == "en"
        return
    message = refusal(client, caches, transcription_jobs=jobs)
    assert message.startswith("transcription_jobs[1].language: ")
    assert hint in message


def test_one_file_in_two_languages_names_both_jobs(
    client: Client, ask: Ask, caches: Path, media: Path
) -> None:
    def jobs(*languages: str | None) -> list[dict[str, Any]]:
        other = {"path": str(media / "other.wav"), "language": "thai"}
        same = [{"path": str(media / "a.wav"), "language": name} for name in languages]
        return [other, *same]

    message = refusal(client, caches, transcription_jobs=jobs("english", None, "de"))
    assert "transcription_jobs[1].language and transcription_jobs[3].language" in message
    assert "english and german" in message
    for fine in (("english", "en", "eng-GB"), (None, "english"), ("english", "auto")):
        found = works(ask(transcription_jobs=jobs(*fine)))
        assert (len(found), found["a.wav"].language) == (2, "en")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("speech_model_key", "conse-lite0"),
        ("speech_model_key", "../whisper-base"),
        ("audio_streams", "Mix"),
    ],
)
def test_a_wrong_choice_is_400_named_and_starts_nothing(
    client: Client, caches: Path, media: Path, name: str, wrong: str
) -> None:
    jobs = [{"path": str(media / "a.wav")}]
    assert refusal(client, caches, transcription_jobs=jobs, **{name: wrong}).startswith(name)
    assert client.get("/tasks").json() == {"tasks": []}


def test_a_job_outside_the_roots_is_403(client: Client, caches: Path) -> None:
    body = {"cache_dir": str(caches / "a"), "transcription_jobs": [{"path": "/elsewhere/a.wav"}]}
    answer = client.post("/analyze", **body)
    assert answer.status_code == 403
    assert answer.json()["message"].startswith("transcription_jobs[0].path: ")


def test_audio_streams_and_the_model_are_what_the_request_says(ask: Ask, media: Path) -> None:
    jobs = [{"path": str(media / "a.wav")}]
    for asked, expected in ((None, "mix"), ("mix", "mix"), ("first", "first"), ("each", "each")):
        assert ask(transcription_jobs=jobs, audio_streams=asked)[0].audio_streams == expected
    for wanted in (None, True, False):
        assert ask(transcription_jobs=jobs, speakers=wanted)[0].speakers is wanted
    for key, expected in (
        (None, "whisper-base"),
        ("tiny.en", "whisper-tiny.en"),
        ("turbo", "whisper-large-v3-turbo"),
        ("somebody/whisper-sami-ct2", "somebody--whisper-sami-ct2"),
    ):
        assert ask(transcription_jobs=jobs, speech_model_key=key)[0].speech_model == expected
    english = [{"path": str(media / "a.wav"), "language": "german"}]
    specs = ask(transcription_jobs=english, speech_model_key="tiny.en")  # fails per file
    assert specs[0].files[0].language == "de"


def test_the_first_forty_words_of_a_vocabulary_come_with_what_is_heard_only(
    ask: Ask, media: Path
) -> None:
    told = ["  Siobhan\tGallagher ", "KESTRELHAVEN", "kestrelhaven", "Zoe\u0308"]
    specs = ask(
        transcription_jobs=[{"path": str(media / "a.wav")}],
        visual_media_paths=[str(media / "b.mp4")],
        cluster_job_name="Cast",
        vocabulary=[*told, *(f"word{n}" for n in range(100))],
    )
    heard, seen = sorted(specs, key=lambda spec: not spec.speech_model)
    assert heard.vocabulary[:4] == ("Siobhan Gallagher", "KESTRELHAVEN", "Zoë", "word0")
    assert heard.vocabulary[-1] == "word35"
    assert (heard.people_of, heard.collection) == ("Cast", "")
    assert (seen.vocabulary, seen.people_of) == ((), "")


@pytest.mark.parametrize(("given", "is_used"), [(None, True), ([], False), (["Ada"], True)])
def test_an_empty_vocabulary_turns_names_of_people_off_too(
    ask: Ask, media: Path, given: list[str] | None, is_used: bool
) -> None:
    [spec] = ask(transcription_jobs=[{"path": str(media / "a.wav")}], vocabulary=given)
    assert (spec.uses_vocabulary, spec.vocabulary) == (is_used, tuple(given or ()))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x"] * 10_000, "vocabulary has 10,000 entries, at most 200 are taken; give the most"),
        (["x" * 61], "vocabulary[0] has 61 characters, at most 60 are taken; give single words"),
        (["Ada", " "], "vocabulary[1] holds no letter; leave it out."),
        (["Ada", "--"], "vocabulary[1] holds no letter; leave it out."),
        (["A\x1bda"], "vocabulary[0] holds '\\x1b', which nobody says; remove it."),
    ],
)
def test_a_vocabulary_that_no_model_can_use_names_the_field_and_the_cure(
    client: Client, caches: Path, media: Path, words: Any, message: str
) -> None:
    jobs = [{"path": str(media / "a.wav")}]
    assert refusal(client, caches, transcription_jobs=jobs, vocabulary=words).startswith(message)


def test_the_settings_say_what_a_request_leaves_out(
    own_redis: PrivateRedis, tmp_path: Path
) -> None:
    settings = {"RUSHES_AUDIO_STREAMS": "each", "RUSHES_SPEECH_MODEL": "turbo"}
    with running_stack(tmp_path, own_redis.url, analysis=0, query=0, **settings) as stack:
        client = stack.client()
        jobs = [{"path": str(tmp_path / "a.wav")}]
        body = {"cache_dir": str(tmp_path / "cache"), "transcription_jobs": jobs}
        task_id = client.ok("/analyze", **body)["task_id"]
        lease = claim(Ledger(connect(own_redis.url), "default"), task_id, 0, "worker", "nonce")
        assert lease
        spec = msgspec.json.decode(lease.spec, type=AnalyzeSpec)
        assert (spec.audio_streams, spec.speech_model) == ("each", "whisper-large-v3-turbo")
        speech = client.get("/models/available").json()["speech"]
        active = [model["model_key"] for model in speech if model["is_active"]]
        assert active == ["whisper-large-v3-turbo"]


def test_the_choice_of_speakers_reaches_workers_and_is_about_speech_alone(
    client: Client, ask: Ask, caches: Path, media: Path
) -> None:
    path = str(media / "a.mov")
    jobs = {"transcription_jobs": [{"path": path}]}
    for speakers in (True, False, None):
        [spec] = ask(**jobs, speakers=speakers)
        assert spec.speakers is speakers
    assert refusal(client, caches, **jobs, speakers="yes").startswith("speakers")
    body = {"cache_dir": str(caches / "speech"), "visual_media_paths": [path], "speakers": True}
    answer = client.post("/analyze", **body)
    assert answer.status_code == 202
    [warning] = json.loads(answer.headers["X-Rushes-Warnings"])
    assert warning.startswith("speakers had no effect: ")
    assert "transcription_jobs" in warning


def test_who_asks_for_speakers_is_told_what_it_takes(
    own_redis: PrivateRedis, tmp_path: Path
) -> None:
    """They are worth less than the words: nothing is refused."""
    models = tmp_path / "models"
    (models / "whisper-base").mkdir(parents=True)
    (models / "whisper-base" / "manifest.json").write_text("{}")
    hearts = connect(own_redis.url)
    heart = Heartbeat(
        name="hears", kind="analysis", host=socket.gethostname(), pid=1, started_at=0.0
    )
    heartbeats.publish(hearts, "default", heart, ttl_s=60)
    settings = {"RUSHES_MODELS_DIR": str(models)}
    with running_stack(tmp_path, own_redis.url, analysis=0, query=0, **settings) as stack:
        body = {
            "cache_dir": str(tmp_path / "cache"),
            "transcription_jobs": [{"path": str(tmp_path / "a.wav")}],
        }
        for asked in ({}, {"speakers": True}):
            answer = stack.client().post("/analyze", **body, **asked)
            assert answer.status_code == 202
            [warning] = json.loads(answer.headers["X-Rushes-Warnings"])
            assert warning.startswith("Speakers are not told apart: ")
            assert "`rushes models pull resemblyzer`" in warning
        answer = stack.client().post("/analyze", **body, speakers=False)
        assert "X-Rushes-Warnings" not in answer.headers


def test_messages_and_progress_count_files_and_say_what_they_are_about(
    client: Client, ledger: Ledger, caches: Path, media: Path
) -> None:
    path = str(media / "a.mov")
    body = {"cache_dir": str(caches / "speech"), "transcription_jobs": [{"path": path}] * 2}
    only_speech = client.ok("/analyze", **body)
    assert only_speech["message"].startswith("Analysis of 1 file accepted.")
    task = client.task(only_speech["task_id"])
    assert (task["type"], task["total"]) == ("audio", 1)
    both = client.ok("/analyze", **body, visual_media_paths=[path, str(media / "b.mov")])
    assert both["message"].startswith("Analysis of 2 files accepted.")
    task_id = both["task_id"]
    assert (client.task(task_id)["type"], client.task(task_id)["total"]) == ("video", 2)
    lease = claim(ledger, task_id, 0, "worker", "nonce")
    assert lease
    ledger.file_ended(lease, type=VIDEO, index=0, media_path=path, error=None)
    ledger.progress(lease, type=AUDIO, fraction=0.5, media_path=path)
    task = client.task(task_id)
    assert (task["type"], task["total"], task["current"]) == ("audio", 1, 0)
    assert task["progress"] == pytest.approx(50)
    assert task["overall_progress"] == pytest.approx(50)  # 1.5 of 3 parts
    with Watcher(client.url) as watcher:
        watcher.join(task_id)
        event = wait_for(lambda: watcher.of(task_id), 5, "the replayed state")[0]
    assert (event["type"], event["progress"]) == ("audio", task["progress"])
    ledger.file_ended(lease, type=AUDIO, index=0, media_path=path, error="It is damaged.")
    assert client.task(task_id)["current"] == 1
    client.ok("/analyze/cancel")
