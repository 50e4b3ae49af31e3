"""POST /export/clips and GET /tasks/{task_id}/exports: shapes, waiting, cancelling, hanging up."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.domain import TaskKind, TaskState
from shared.errors import MediaMissing
from shared.exports.clips import ClipCode, ClipSpec
from shared.ledger.records import FileState
from tests.support.exports.clips_desk import PATH, ClipsDesk, clips_desk
from tests.support.private_redis import PrivateRedis
from tests.support.stack import KEY, Client, Stack, running_stack
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

MISSING = MediaMissing("The file does not exist.")


@pytest.fixture
def desk(client: Client, api_redis: PrivateRedis, media: Path) -> Iterator[ClipsDesk]:
    with clips_desk(client, api_redis.url, media) as desk:
        desk.live()
        yield desk


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def exported(spec: ClipSpec, **more: Any) -> dict[str, Any]:
    """The entry of a clip that ClipsDesk.done has settled."""
    return {
        "index": spec.index,
        "output_path": f"{spec.client_output_dir}/{spec.index}.mov",
        "media_path": spec.client_path,
        "start_seconds": 1.0,
        "end_seconds": 2.0,
        "frames": 25,
        "method": "copy",
        "start_timecode": None,
        "skipped": False,
        "warnings": [],
        **more,
    }


def test_the_answer_waits_for_every_clip_and_keeps_the_order_of_the_request(
    desk: ClipsDesk, pool: ThreadPoolExecutor
) -> None:
    clips = [desk.clip("a.mov"), desk.clip("b.mov"), desk.clip("c.mov"), desk.clip("a.mov")]
    waiting = pool.submit(desk.export, *clips)
    task_id = desk.wait_task()
    taken = [desk.take(task_id, n) for n in range(4)]
    desk.done(*taken[3], warnings=("end_time lies past the end of the file.",))
    desk.failed(*taken[1], ClipCode.MISSING_MEDIA, MISSING)
    desk.done(*taken[2], skipped=True, frames=None, method=None)
    assert not waiting.done()
    desk.done(*taken[0], start_timecode="10:00:01:00")
    answer = waiting.result(10)
    assert answer.status_code == 200, answer.text
    specs = [spec for _, spec in taken]
    assert answer.json() == {
        "exported": [
            exported(specs[0], start_timecode="10:00:01:00"),
            exported(specs[2], skipped=True, frames=None, method=None),
            exported(specs[3], warnings=["end_time lies past the end of the file."]),
        ],
        "failed": [
            {
                "index": 1,
                "media_path": str(desk.media / "b.mov"),
                "error": "The file does not exist.",
                "code": "missing_media",
            }
        ],
    }
    task = desk.client.task(task_id)
    assert (task["kind"], task["type"], task["status"]) == ("export", "export", "completed")
    assert (task["current"], task["total"]) == (4, 4)
    assert task["failed_files"] == [
        {"media_path": str(desk.media / "b.mov"), "error": "The file does not exist."}
    ]


def test_no_thread_is_held_by_those_that_wait(desk: ClipsDesk, api_stack: Stack) -> None:
    count = 150  # more than the API has threads
    with ThreadPoolExecutor(count) as many:
        url, headers = f"{desk.client.url}/api/v1{PATH}", {"X-License-Key": KEY}
        waiting = [
            many.submit(httpx.post, url, json=desk.body(), headers=headers, timeout=60)
            for _ in range(count)
        ]
        wait_for(lambda: len(desk.tasks()) == count, 30, "all requests to wait")
        assert desk.client.get("/tasks").status_code == 200
        assert desk.client.post("/media/metadata", media_paths=[]).status_code == 200
        for task_id in desk.tasks():
            desk.ledger.stop(task_id)
        assert {answer.result(30).status_code for answer in waiting} == {200}


def test_the_worker_is_told_what_was_asked(desk: ClipsDesk) -> None:
    task_id = desk.in_background(
        desk.clip("a.mov", "00:01:02.5", 70, name="Ada"),
        desk.clip("b.mov", "10:00:00:12", "10:00:01;00"),
        mode="copy",
        codec="prores",
        quality=3,
        container="mov",
        handle_seconds=1,
        audio="first",
        naming="{index} {stem}",
        on_exists="skip",
        dry_run=True,
    )
    common = {
        "output_dir": str(desk.out),
        "client_output_dir": str(desk.out),
        "naming": "{index} {stem}",
        "mode": "copy",
        "codec": "prores",
        "quality": 3,
        "container": "mov",
        "audio": "first",
        "handle_seconds": 1.0,
        "on_exists": "skip",
        "dry_run": True,
    }
    first, second = str(desk.media / "a.mov"), str(desk.media / "b.mov")
    assert [desk.take(task_id, n)[1] for n in range(2)] == [
        ClipSpec(
            index=0, media_path=first, client_path=first, start=62.5, end=70, name="Ada", **common
        ),
        ClipSpec(
            index=1,
            media_path=second,
            client_path=second,
            start="10:00:00:12",
            end="10:00:01;00",
            **common,
        ),
    ]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 0.04),
        ("00:00:00", "00:00:00.040"),
        ("23:59:59:24", "00:00:00:00"),  # over midnight
        (5, "00:00:01:00"),  # what that is depends on the source
        (0, 0),  # as of a match that is a still
        ("00:00:02", 1.5),
        ("10:00:05:12", "10:00:05:11"),
        (None, None),
    ],
)
def test_times_are_left_to_the_worker_which_fails_one_clip_alone(
    desk: ClipsDesk, start: Any, end: Any
) -> None:
    clip = desk.clip() if start is None else desk.clip(start=start, end=end)
    assert desk.export(clip, background=True).status_code == 202


def test_in_the_background_it_is_202_and_results_are_found_while_it_runs(desk: ClipsDesk) -> None:
    answer = desk.export(desk.clip("a.mov"), desk.clip("b.mov"), background=True)
    assert answer.status_code == 202
    assert set(answer.json()) == {"message", "task_id"}
    assert answer.json()["message"] == "Export of 2 clips accepted."
    task_id = answer.json()["task_id"]
    nothing = {"exported": [], "failed": [], "task_id": task_id}
    assert desk.found(task_id) == {**nothing, "status": "queued"}
    assert desk.client.task(task_id)["message"] == "Waiting for a worker."
    lease, spec = desk.take(task_id, 1)
    assert desk.found(task_id) == {**nothing, "status": "running"}
    desk.done(lease, spec)
    assert desk.found(task_id) == {**nothing, "status": "running", "exported": [exported(spec)]}
    assert desk.client.task(task_id)["message"] == "1 of 2 clips done."
    desk.failed(*desk.take(task_id, 0), ClipCode.MISSING_MEDIA, MISSING)
    ended = desk.found(task_id)
    assert ended["status"] == "completed"
    assert [clip["index"] for clip in ended["failed"]] == [0]


def test_a_task_none_of_whose_clips_was_exported_has_failed_with_the_reason(
    desk: ClipsDesk,
) -> None:
    task_id = desk.in_background()
    desk.failed(*desk.take(task_id), ClipCode.MISSING_MEDIA, MISSING)
    task = desk.client.task(task_id)
    assert (task["status"], task["error"]) == ("failed", MISSING.message)
    assert [clip["code"] for clip in desk.found(task_id)["failed"]] == ["missing_media"]


def test_an_internal_error_is_tried_three_times_and_then_told(
    desk: ClipsDesk, pool: ThreadPoolExecutor
) -> None:
    waiting = pool.submit(desk.export, desk.clip("a.mov"), desk.clip("b.mov"))
    task_id = desk.wait_task()
    desk.done(*desk.take(task_id, 1))
    for _ in range(3):
        assert not waiting.done()
        lease, _spec = desk.take(task_id, 0)
        desk.ledger.settle(lease, "failed", "An internal error: ValueError: x")
    answer = waiting.result(10).json()
    assert [clip["index"] for clip in answer["exported"]] == [1]
    assert answer["failed"] == [
        {
            "index": 0,
            "media_path": str(desk.media / "a.mov"),
            "error": "An internal error: ValueError: x",
            "code": "internal",
        }
    ]


def test_a_cancelled_request_answers_what_was_exported_and_the_rest_as_cancelled(
    desk: ClipsDesk, pool: ThreadPoolExecutor
) -> None:
    waiting = pool.submit(desk.export, *[desk.clip(f"{n}.mov") for n in range(4)])
    task_id = desk.wait_task()
    desk.done(*desk.take(task_id, 1))
    lease, _spec = desk.take(task_id, 2)
    assert desk.client.ok("/analyze/cancel", task_id=task_id)["cancelled"] is True
    assert desk.ledger.renew(lease) == "stop"
    desk.ledger.settle(lease, "cancelled")
    answer = waiting.result(10)
    assert answer.status_code == 200
    assert [clip["index"] for clip in answer.json()["exported"]] == [1]
    assert [(clip["index"], clip["code"]) for clip in answer.json()["failed"]] == [
        (0, "cancelled"),
        (2, "cancelled"),
        (3, "cancelled"),
    ]
    assert answer.json()["failed"][0]["error"] == "Stopped before it was exported."
    assert desk.found(task_id)["status"] == "cancelled"


def test_a_client_that_hangs_up_stops_its_task_and_no_other(
    desk: ClipsDesk, api_stack: Stack, pool: ThreadPoolExecutor
) -> None:
    other = pool.submit(desk.export, desk.clip("other.mov"))
    others = desk.wait_task()
    body = json.dumps(desk.body())
    with socket.create_connection(("127.0.0.1", api_stack.ports[0]), timeout=5) as raw:
        raw.sendall(
            f"POST /api/v1{PATH} HTTP/1.1\r\nHost: localhost\r\nX-License-Key: {KEY}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        task_id = wait_for(lambda: [t for t in desk.tasks() if t != others], 10, "its task")[0]
        lease, _spec = desk.take(task_id)
    wait_for(lambda: desk.ledger.renew(lease) == "stop", 3, "the task to be stopped")
    desk.ledger.settle(lease, "cancelled")
    assert desk.found(task_id)["status"] == "cancelled"
    assert not other.done()
    desk.done(*desk.take(others))
    assert other.result(10).status_code == 200


def test_an_analysis_neither_stops_exports_nor_waits_for_them(
    desk: ClipsDesk, caches: Path, pool: ThreadPoolExecutor
) -> None:
    waiting = pool.submit(desk.export)
    task_id = desk.wait_task()
    lease, spec = desk.take(task_id)
    first = desk.client.analyze(caches / "c", desk.media / "a.mp4")
    second = desk.client.ok(
        "/analyze",
        cache_dir=str(caches / "c"),
        visual_media_paths=[str(desk.media / "b.mp4")],
        on_busy="replace",
    )["task_id"]
    assert desk.client.task(first)["status"] == "cancelled"
    assert desk.client.ok("/analyze/cancel")["task_id"] == second
    assert desk.ledger.renew(lease) == "ok"
    desk.done(lease, spec)
    assert len(waiting.result(10).json()["exported"]) == 1


def test_one_that_somebody_waits_for_is_heard_before_one_in_the_background(
    desk: ClipsDesk, pool: ThreadPoolExecutor
) -> None:
    in_background = desk.in_background(desk.clip("a.mov"), desk.clip("b.mov"))
    waiting = pool.submit(desk.export)
    task_id = desk.wait_task(others=1)
    enqueued = _enqueued(desk)
    assert enqueued == [task_id, in_background, in_background]
    desk.ledger.stop(task_id)
    assert waiting.result(10).status_code == 200


def _enqueued(desk: ClipsDesk) -> list[str]:
    """Tasks of the jobs that wait, the next first."""

    def all_three() -> list[Any] | None:
        ids: Any = desk.redis.lrange("rq:queue:rushes-default-export", 0, -1)
        return ids if len(ids) == 3 else None

    ids = wait_for(all_three, 5, "three jobs")
    descriptions = [desk.redis.hget(f"rq:job:{job}", "description") for job in ids]
    return [str(description).partition("/")[0] for description in descriptions]


def test_ten_thousand_clips_are_accepted_and_told_apart(desk: ClipsDesk, api_stack: Stack) -> None:
    stopwatch = Stopwatch(api_stack)
    task_id = desk.in_background(*[desk.clip(f"{n}.mov") for n in range(10_000)])
    assert stopwatch.seconds() < 20
    desk.done(*desk.take(task_id, 9_999))
    assert [clip["index"] for clip in desk.found(task_id)["exported"]] == [9_999]
    assert desk.client.task(task_id)["total"] == 10_000
    desk.ledger.stop(task_id)
    assert len(desk.found(task_id)["failed"]) == 9_999


def test_results_go_when_the_task_goes(desk: ClipsDesk) -> None:
    task_id = desk.in_background(desk.clip("a.mov"), desk.clip("b.mov"))
    desk.done(*desk.take(task_id, 0))
    desk.done(*desk.take(task_id, 1))
    keys: Any = desk.redis.keys(f"*{task_id}*")
    assert all(desk.redis.ttl(key) > 0 for key in keys)
    record = desk.ledger.record(task_id)
    assert record is not None
    assert (record.kind, record.status) == (TaskKind.EXPORT, TaskState.COMPLETED)
    assert [file.state for file in desk.ledger.files(task_id)] == [FileState.DONE] * 2


def test_an_outage_of_redis_while_the_answer_waits_is_sat_out(
    own_redis: PrivateRedis, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    (tmp_path / "media").mkdir()
    with (
        running_stack(tmp_path / "s", own_redis.url, analysis=0, query=0) as stack,
        clips_desk(stack.client(), own_redis.url, tmp_path / "media") as desk,
    ):
        desk.live()
        waiting = pool.submit(desk.export)
        task_id = desk.wait_task()
        lease, spec = desk.take(task_id)
        own_redis.freeze()
        assert stack.client().get("/tasks").status_code == 503
        own_redis.thaw()
        assert not waiting.done()
        desk.done(lease, spec)
        assert waiting.result(20).status_code == 200
        desk.live()
        waiting = pool.submit(desk.export)
        wait_for(lambda: len(desk.tasks()) == 2, 10, "its task")
        desk.redis.flushall()
        lost = waiting.result(20)
        assert (lost.status_code, "lost task" in lost.json()["message"]) == (503, True)


def test_a_server_that_ends_stops_what_its_clients_wait_for(
    own_redis: PrivateRedis, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    (tmp_path / "media").mkdir()
    with (
        running_stack(tmp_path / "s", own_redis.url, analysis=0, query=0) as stack,
        clips_desk(stack.client(), own_redis.url, tmp_path / "media") as desk,
    ):
        desk.live()
        waiting: Future[httpx.Response] = pool.submit(desk.export)
        lease, _spec = desk.take(desk.wait_task())
        assert stack.processes["api-0"].end() == 0
        assert desk.ledger.renew(lease) == "stop"
        answer = waiting.result(10)
        assert (answer.status_code, "being stopped" in answer.json()["message"]) == (503, True)
        assert "Traceback" not in stack.processes["api-0"].text()
