"""The export worker, from a request to files: names, numbers, templates, what is skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.tasks.test_worker_process import start_and_tell, told_modules
from tests.support.exports.clips_desk import seem_live
from tests.support.exports.export_desk import ExportDesk, clip, shared_api, shared_server, shown
from tests.support.media.media import make_still, write_sound
from tests.support.private_redis import PrivateRedis
from tests.support.socketio_client import Watcher
from tests.support.stack import Client
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExportDesk]:
    with shared_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(shared: ExportDesk, tmp_path: Path) -> ExportDesk:
    """A server with one worker."""
    return shared.with_folders_in(tmp_path)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, _shared_redis: PrivateRedis) -> Iterator[Client]:
    with shared_api(tmp_path_factory.mktemp("api"), _shared_redis.url) as api:
        yield api


@pytest.fixture
def desk(api: Client, tmp_path: Path, redis_url: str) -> Iterator[ExportDesk]:
    """A server without a worker."""
    desk = ExportDesk(tmp_path, redis_url, api=api)
    yield desk
    desk.close()


def names_of(answer: dict) -> list[str]:
    return [os.path.basename(made["output_path"]) for made in answer["exported"]]


def test_a_clip_is_the_asked_for_pictures_under_the_source_s_name_and_timecodes(
    server: ExportDesk,
) -> None:
    film = server.film()
    answer = server.export(clip(film, 1, 2.4), clip(film, "10:00:02:05", "10:00:02:10"))
    assert answer["failed"] == []
    assert names_of(answer) == [
        "film_10-00-01-00_10-00-02-10.mov",
        "film_10-00-02-05_10-00-02-10.mov",
    ]
    first, second = answer["exported"]
    assert {k: v for k, v in first.items() if k != "output_path"} == {
        "index": 0,
        "media_path": str(film),
        "start_seconds": 1.0,
        "end_seconds": 2.4,
        "frames": 35,
        "method": "encode",
        "start_timecode": "10:00:01:00",
        "skipped": False,
        "warnings": [],
    }
    assert shown(first["output_path"]) == list(range(25, 60))
    assert shown(second["output_path"]) == list(range(55, 60))
    assert server.names() == sorted(names_of(answer))
    assert os.stat(first["output_path"]).st_nlink == 1


def test_a_template_and_a_name_decide_what_a_clip_is_called(server: ExportDesk) -> None:
    film, cut = server.film("A 001.mov"), server.all_key_frames()
    sound = write_sound(server.media / "boom.wav", 2)
    answer = server.export(
        clip(film, 0, 0.2),
        clip(film, 0.2, 0.4, name="Ada: take 1/2"),
        clip(cut, 0, 0.2, name="../../etc/x"),
        clip(sound, 0.5, 1.25),
        naming="{index} {stem} {in_tc}",
    )
    assert names_of(answer) == [
        "001 A 001 10-00-00-00.mov",
        "Ada_ take 1_2.mov",
        "_.._etc_x.mov",
        "004 boom 00-00-00-500.wav",
    ]
    assert "Called Ada_ take 1_2.mov" in answer["exported"][1]["warnings"][0]
    assert answer["exported"][0]["warnings"] == []


def test_a_name_that_is_taken_is_numbered_skipped_or_refused_and_never_overwritten(
    server: ExportDesk,
) -> None:
    cut = server.all_key_frames()
    (server.out / "a.mov").write_bytes(b"precious")
    two = (clip(cut, 0, 1, name="a"), clip(cut, 1, 2, name="a"))
    assert sorted(names_of(server.export(*two))) == ["a (2).mov", "a (3).mov"]
    (skipped,) = server.export(two[0], on_exists="skip")["exported"]
    assert (skipped["skipped"], skipped["method"], skipped["frames"]) == (True, None, None)
    assert skipped["output_path"] == str(server.out / "a.mov")
    assert skipped["warnings"] == ["a.mov was there already and was left as it is."]
    (failed,) = server.export(two[0], on_exists="error")["failed"]
    assert (failed["code"], failed["error"]) == ("exists", "a.mov is there already in output_dir.")
    assert (server.out / "a.mov").read_bytes() == b"precious"
    assert server.names() == ["a (2).mov", "a (3).mov", "a.mov"]


def test_of_two_clips_of_one_name_in_a_request_that_may_not_number_one_is_left_out(
    desk: ExportDesk,
) -> None:
    cut = desk.all_key_frames()
    desk.waiting_worker(at_end=True)
    desk.waiting_worker(1, at_end=True)
    waiting = desk.exporting(
        clip(cut, 0, 1, name="a"), clip(cut, 1, 2, name="a"), on_exists="error"
    )
    desk.wait_held(2)
    desk.release.touch()
    answer = waiting.result(30)
    assert names_of(answer) == ["a.mov"]
    assert [failed["code"] for failed in answer["failed"]] == ["exists"]
    assert desk.names() == ["a.mov"]


def test_two_requests_at_once_and_several_workers_share_the_clips_and_the_names(
    desk: ExportDesk,
) -> None:
    cut = desk.all_key_frames()
    for number in range(2):
        desk.worker(number)
    clips = [clip(cut, n / 5, n / 5 + 0.2, name="a") for n in range(5)]
    first, second = desk.exporting(*clips), desk.exporting(*clips)
    answers = [first.result(60), second.result(60)]
    made = [path for answer in answers for path in names_of(answer)]
    assert sorted(made) == sorted(["a.mov", *(f"a ({n}).mov" for n in range(2, 11))])
    for answer in answers:
        for n, exported in enumerate(answer["exported"]):
            assert shown(exported["output_path"]) == list(range(5 * n, 5 * n + 5))
    files = desk.desk.ledger.files(desk.newest_task())
    assert len({file.worker for file in files}) == 2


def test_a_dry_run_says_what_would_come_and_writes_nothing(server: ExportDesk) -> None:
    cut = server.all_key_frames()
    (server.out / "a.mov").write_bytes(b"precious")
    answer = server.export(
        clip(cut, 0, 1, name="a"),
        clip(cut, 1, 2),
        clip(server.media / "none.mov"),
        clip(cut, 5, 6),
        dry_run=True,
    )
    assert names_of(answer) == ["a (2).mov", "cut_01-00-01-00_01-00-02-00.mov"]
    assert [(made["method"], made["frames"]) for made in answer["exported"]] == [
        ("copy", None),
        ("copy", None),
    ]
    assert [failed["code"] for failed in answer["failed"]] == ["missing_media", "bad_range"]
    assert server.names() == ["a.mov"]


def test_one_bad_clip_of_each_kind_stops_no_other(server: ExportDesk) -> None:
    film, cut = server.film(), server.all_key_frames()
    (server.media / "text.mov").write_text("no film")
    (server.media / "folder.mov").mkdir()
    make_still(server.media / "still.jpg", None)
    answer = server.export(
        clip(cut, 0, 0.2),
        clip(server.media / "none.mov"),
        clip(server.media / "text.mov"),
        clip(server.media / "folder.mov"),
        clip(film, 100, 101),
        clip(film, "09:00:00:00", "09:00:01:00"),
        clip(film, "10:00:01:50", "10:00:02:00"),
        clip(cut, 0.2, 0.4),
    )
    assert [made["index"] for made in answer["exported"]] == [0, 7]
    assert [(failed["index"], failed["code"]) for failed in answer["failed"]] == [
        (1, "missing_media"),
        (2, "unreadable"),
        (3, "unreadable"),
        (4, "bad_range"),
        (5, "bad_range"),
        (6, "bad_range"),
    ]
    record = server.client.task(server.newest_task(), files=True)
    assert record["status"] == "completed"
    assert [file["fault"] for file in record["files"]][:3] == [None, "missing", "file"]
    assert len(server.names()) == 2


def test_a_copy_that_cannot_be_is_refused_and_a_file_that_is_short_is_clamped(
    server: ExportDesk,
) -> None:
    cut = server.all_key_frames()
    answer = server.export(
        clip(cut, 0, 1), clip(cut, 1.5, 9), mode="copy", container="mkv", handle_seconds=0.2
    )
    assert [failed["code"] for failed in answer["failed"]] == ["not_copyable"] * 2
    answer = server.export(clip(cut, 0, 1), clip(cut, 1.6, 9), mode="copy", handle_seconds=0.2)
    assert [(made["start_seconds"], made["end_seconds"]) for made in answer["exported"]] == [
        (0.0, 1.2),
        (1.4, 2.0),
    ]
    assert "past the end" in answer["exported"][1]["warnings"][0]


def test_progress_is_of_type_export_and_tells_of_clips_and_of_what_is_within_one(
    desk: ExportDesk,
) -> None:
    film = desk.film(seconds=8)
    desk.waiting_worker(share=0.4)
    task_id = desk.in_background(clip(film, 0, 4), clip(film, 4, 8), mode="encode")
    with Watcher(desk.client.url) as watcher:
        watcher.join(task_id)
        desk.wait_held()

        def within() -> bool:
            return any(0 < event["progress"] < 50 for event in watcher.of(task_id))

        wait_for(within, 10, "progress within the first clip")
        desk.release.touch()
        events = watcher.until_final(task_id, timeout_s=60)
    assert {event["type"] for event in events} == {"export"}
    assert {event["total"] for event in events} == {2}
    shares = [event["progress"] for event in events]
    assert shares == sorted(shares)
    last = events[-1]
    assert (last["status"], last["current"], last["progress"]) == ("completed", 2, 100)
    assert last["failed_files"] == []
    assert {event["media_path"] for event in events} <= {None, str(film)}
    assert len(desk.found(task_id)["exported"]) == 2


def test_a_link_that_leads_out_of_the_roots_fails_in_its_own_slot(
    tmp_path: Path, redis_url: str
) -> None:
    roots = {
        "RUSHES_MEDIA_ROOTS": str(tmp_path / "media"),
        "RUSHES_EXPORT_ROOTS": str(tmp_path / "out"),
    }
    desk = ExportDesk(tmp_path, redis_url, **roots)
    try:
        cut = desk.all_key_frames()
        (tmp_path / "secret").mkdir()
        cut.rename(tmp_path / "secret" / "cut.mov")
        (desk.media / "link.mov").symlink_to(tmp_path / "secret" / "cut.mov")
        good = desk.all_key_frames("good.mov")
        desk.worker()
        answer = desk.export(clip(desk.media / "link.mov", 0, 1), clip(good, 0, 1))
        assert [failed["code"] for failed in answer["failed"]] == ["not_allowed"]
        assert "RUSHES_MEDIA_ROOTS" in answer["failed"][0]["error"]
        assert len(answer["exported"]) == 1
    finally:
        desk.close()


@pytest.mark.parametrize(
    ("setting", "folder"), [("RUSHES_MEDIA_ROOTS", "media"), ("RUSHES_EXPORT_ROOTS", "out")]
)
def test_a_worker_that_does_not_see_a_root_leaves_the_clip_to_others(
    desk: ExportDesk, tmp_path: Path, setting: str, folder: str
) -> None:
    cut = desk.all_key_frames()
    seem_live(desk.desk.client)
    task_id = desk.in_background(clip(cut, 0, 1))
    unseen, away = tmp_path / folder, tmp_path / "away"
    unseen.rename(away)
    # Either worker may do it in the end, so the first may write there, too.
    roots = {"RUSHES_EXPORT_ROOTS": str(tmp_path / "out"), setting: str(unseen)}
    desk.stack.start_worker("export", 0, **roots)
    wait_for(
        lambda: any(f"{unseen} is not visible" in h.message for h in desk.desk.hearts("export")),
        20,
        "a heartbeat that says why",
    )
    assert desk.found(task_id)["status"] == "queued"
    away.rename(unseen)
    desk.stack.start_worker("export", 1)
    assert desk.client.wait_final(task_id)["status"] == "completed"
    assert len(desk.found(task_id)["exported"]) == 1


@pytest.mark.studio
@pytest.mark.short
def test_it_imports_no_model_library_and_ends_in_good_order(desk: ExportDesk) -> None:
    film = desk.film()
    start_and_tell(desk.desk, "export")
    desk.wait_workers(1)
    assert len(desk.export(clip(film, 1, 2), mode="encode")["exported"]) == 1
    loaded = told_modules(desk.desk, "export")
    assert "av" in loaded
    assert not {"torch", "onnxruntime", "ctranslate2", "faster_whisper", "insightface"} & loaded
    assert not {"open_clip", "transformers", "hdbscan", "cv2", "starlette", "socketio"} & loaded
