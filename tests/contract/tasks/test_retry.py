"""What failed is tried again with the settings that it had, by whom, and what is no reason to."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec, ProgressType, TaskKind
from shared.ledger.ledger import Ledger
from shared.ledger.records import NewItem, NewTask
from shared.redis.clients import connect
from tests.support.played_worker import claim
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, Stack

VIDEO, AUDIO = ProgressType.VIDEO, ProgressType.AUDIO


@pytest.fixture
def ledger(api_redis: PrivateRedis, client: Client) -> Ledger:
    """The ledger that the API writes to; `client` has emptied it."""
    return Ledger(connect(api_redis.url), "default")


def asked(caches: Path, media: Path) -> dict[str, Any]:
    a, b, c = (str(media / name) for name in ("a.mp4", "b.mp4", "c.mp4"))
    return {
        "cache_dir": str(caches / "again"),
        "visual_media_paths": [a, b],
        "transcription_jobs": [{"path": a, "language": "german"}, {"path": c, "language": None}],
        "face_media_paths": [b],
        "cluster_job_name": "Season 1",
        "face_eps": 0.4,
        "vocabulary": ["Siobhan"],
        "audio_streams": "first",
        "speakers": True,
        "force": True,
    }


def specs_of(ledger: Ledger, task_id: str) -> list[AnalyzeSpec]:
    raw = iter(range(99))
    found = iter(lambda: ledger.spec(task_id, next(raw)), b"")
    return [msgspec.json.decode(each, type=AnalyzeSpec) for each in found]


def failed_task(client: Client, ledger: Ledger, **body: Any) -> str:
    """a.mp4 failed in its speech, b.mp4 in pictures and faces; c.mp4 is done."""
    task_id = str(client.ok("/analyze", **body)["task_id"])
    for n, spec in enumerate(specs_of(ledger, task_id)):
        lease = claim(ledger, task_id, n, "worker", f"nonce{n}")
        assert lease
        for index, file in enumerate(spec.files):
            for kind in file.wants:
                name = Path(file.path).name
                is_bad = name == "b.mp4" or (name == "a.mp4" and kind is AUDIO)
                error = "The file is cut off." if is_bad else None
                ledger.file_ended(
                    lease, type=kind, index=index, media_path=file.client_path, error=error
                )
        ledger.settle(lease, "done")
    return task_id


def test_what_failed_is_tried_again_with_the_same_settings(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    body = asked(caches, media)
    task_id = failed_task(client, ledger, **body)
    before = specs_of(ledger, task_id)
    again = client.ok(f"/tasks/{task_id}/retry")["task_id"]
    found = specs_of(ledger, again)
    assert {Path(file.path).name: file.wants for spec in found for file in spec.files} == {
        "a.mp4": (AUDIO,),
        "b.mp4": (VIDEO, ProgressType.FACES),
    }
    heard = next(spec for spec in found if spec.files[0].wants == (AUDIO,))
    earlier = next(spec for spec in before if spec.files[0].path == heard.files[0].path)
    assert (heard.files[0].language, heard.vocabulary) == ("de", ("Siobhan",))
    for name in (
        *("speech_model", "audio_streams", "speakers", "force", "collection", "people_of"),
        "face_eps",
    ):
        assert getattr(heard, name) == getattr(earlier, name), name
    assert all(spec.cache_dir == body["cache_dir"] for spec in found)


@pytest.mark.parametrize("given", [None, []])
def test_a_vocabulary_that_is_off_or_was_not_given_stays_so(
    client: Client, ledger: Ledger, media: Path, caches: Path, given: list[str] | None
) -> None:
    task_id = failed_task(client, ledger, **{**asked(caches, media), "vocabulary": given})
    found = specs_of(ledger, client.ok(f"/tasks/{task_id}/retry")["task_id"])
    assert {(spec.vocabulary, spec.uses_vocabulary) for spec in found} == {((), given is None)}


def test_only_named_files_are_tried_and_twice_at_once_is_harmless(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    task_id = failed_task(client, ledger, **asked(caches, media))
    answers: list[Any] = []

    def retry() -> None:
        answers.append(client.post(f"/tasks/{task_id}/retry", paths=[str(media / "a.mp4")]))

    threads = [threading.Thread(target=retry) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [202, 202]
    [again] = {answer.json()["task_id"] for answer in answers}
    [spec] = specs_of(ledger, again)
    assert [Path(file.path).name for file in spec.files] == ["a.mp4"]
    rest = client.ok(f"/tasks/{task_id}/retry")["task_id"]
    assert {Path(file.path).name for each in specs_of(ledger, rest) for file in each.files} == {
        "b.mp4"
    }
    assert client.ok(f"/tasks/{task_id}/retry")["task_id"] in (again, rest)
    client.ok("/analyze/cancel", task_id=again)
    client.ok("/analyze/cancel", task_id=rest)
    assert client.ok(f"/tasks/{task_id}/retry")["task_id"] not in (again, rest)


def test_an_accepted_analysis_stays_so_when_its_marks_cannot_be_taken_back(
    client: Client, api_redis: PrivateRedis, media: Path, caches: Path
) -> None:
    with connect(api_redis.url) as redis:
        cache_id = CacheDir.open(caches / "unmarked", create=True).id
        redis.hset("rushes:default:left-out-versions", cache_id, "1")
        for key in (cache_id, str(caches / "unmarked")):  # Redis refuses, as while it goes away
            redis.set(f"rushes:default:left-out:{key}", "no hash")
        answer = client.post(
            "/analyze",
            cache_dir=str(caches / "unmarked"),
            visual_media_paths=[str(media / "a.mp4")],
        )
    assert answer.status_code == 202


def refusal(client: Client, task_id: str, status: int, **body: Any) -> str:
    answer = client.post(f"/tasks/{task_id}/retry", **body)
    assert answer.status_code == status, answer.text
    return str(answer.json()["message"])


def test_what_cannot_be_tried_again_is_said_in_a_sentence(
    client: Client, ledger: Ledger, media: Path, caches: Path
) -> None:
    assert "kept for a day" in refusal(client, "0" * 32, 404)
    task_id = failed_task(client, ledger, **asked(caches, media))
    other = str(media / "c.mp4")
    assert f"paths[1]: {other} is not among" in refusal(
        client, task_id, 400, paths=[str(media / "a.mp4"), other]
    )
    assert "paths" in refusal(client, task_id, 400, paths=[])
    assert "paths[0]" in refusal(client, task_id, 403, paths=["/etc/passwd"])
    assert "is not among" in refusal(client, task_id, 400, paths=["é" * 4000])
    running = client.analyze(caches / "again", media / "d.mp4", on_busy="queue")
    assert "has not ended" in refusal(client, running, 400)
    client.ok("/analyze/cancel", task_id=running)
    assert "No file of task" in refusal(client, running, 400)
    ingest = NewTask(kind=TaskKind.INGEST, items=[NewItem(b"{}")])
    ledger.submit(ingest)
    assert "/watch-folders/" in refusal(client, ingest.task_id, 400)


def test_another_keys_task_needs_the_scope_admin_and_the_keys_own_folders(
    client: Client, api_stack: Stack, ledger: Ledger, media: Path, caches: Path
) -> None:
    task_id = failed_task(client, ledger, **asked(caches, media))
    words: list[dict[str, Any]] = [
        {"label": "Guest", "scopes": ["analyze"]},
        {"label": "Outside", "roots": [str(media / "elsewhere")]},
        {"label": "Boss"},
    ]
    guest, outside, boss = (
        api_stack.client(key=client.post("/keys", **each).json()["license_key"]) for each in words
    )
    assert "admin" in refusal(guest, task_id, 403)
    assert refusal(outside, task_id, 403)
    again = boss.ok(f"/tasks/{task_id}/retry")["task_id"]
    assert boss.task(again)["owner"] == "Boss"


def test_what_another_version_has_written_breaks_nothing(
    client: Client, ledger: Ledger, api_redis: PrivateRedis, media: Path, caches: Path
) -> None:
    task_id = failed_task(client, ledger, **asked(caches, media))
    redis = connect(api_redis.url)
    for n in range(len(specs_of(ledger, task_id))):
        redis.hset(f"rushes:default:item:{task_id}:{n}", "spec", '{"cache_dir": 5}')
    redis.hset(f"rushes:default:task:{task_id}", mapping={"pace": "[[", "footage_ms": "12"})
    redis.delete("rushes:default:ended", "rushes:default:ended-failed")
    assert "No file of task" in refusal(client, task_id, 400)
    [task] = client.get("/tasks?state=failed&details=true").json()["tasks"]
    assert (task["task_id"], task["cache_dir"], task["rate"]) == (task_id, None, None)
