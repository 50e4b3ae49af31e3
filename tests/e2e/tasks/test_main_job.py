"""The main job through the public API only: analyze, watch the progress, search, look at frames."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from tests.support.media.media import make_still, picture_video
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack

ODD_NAME = "Tag 1 – Ü #1 100% \"quoted\" 'x'.mp4"


@pytest.fixture(scope="module")
def shoot(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> dict[str, Path]:
    """A day's shoot with known content: a video of three shots, one of one shot, two stills."""
    folder = tmp_path_factory.mktemp("shoot with spaces")
    shots = [(photos["cat"], 4), (photos["coffee"], 3), (photos["rocket"], 5)]
    return {
        "shots": picture_video(folder / ODD_NAME, shots),
        "astronaut": picture_video(folder / "astronaut.mkv", [(photos["astronaut"], 4)]),
        "still": make_still(folder / "flower.jpg", photos["flower"]),
        "cat still": make_still(folder / "Katze.png", photos["cat"]),
    }


@pytest.fixture(scope="module")
def analyzed(
    stack: Stack, shoot: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Client, Path, list[dict[str, object]]]:
    """The shoot analysed once while a Socket.IO client watches."""
    client = stack.client()
    cache_dir = tmp_path_factory.mktemp("cache")
    task_id = client.analyze(cache_dir, *shoot.values())
    with Watcher(client.url) as watcher:
        watcher.join(task_id)
        events = watcher.until_final(task_id, timeout_s=60)
    assert events[-1]["status"] == "completed", events[-1]
    return client, cache_dir, events


def search(client: Client, cache_dir: Path, kind: str, **body: object) -> list[dict[str, str]]:
    return list(client.ok(f"/search/{kind}", cache_dir=str(cache_dir), **body)["matches"])


def seconds(timestamp: str) -> int:
    hours, minutes, rest = timestamp.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(rest)


def test_progress_only_rises_and_ends_once_with_every_file_counted(analyzed) -> None:
    _, _, events = analyzed
    percents = [event["overall_progress"] for event in events]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    last = events[-1]
    assert (last["current"], last["total"], last["failed_files"]) == (4, 4, [])
    assert [e["status"] for e in events].count("completed") == 1
    assert {event["type"] for event in events} == {"video"}


@pytest.mark.parametrize(
    ("query", "name", "first", "last"),
    [
        ("an espresso", "shots", 4, 6),
        ("a space shuttle", "shots", 7, 11),
    ],
)
def test_a_text_search_finds_the_shot(analyzed, shoot, query, name, first, last) -> None:
    client, cache_dir, _ = analyzed
    best = search(client, cache_dir, "text", query=query, max_results=5)[0]
    assert best["video_path"] == str(shoot[name])
    assert first <= int(best["frame_idx"]) <= last
    assert seconds(best["timestamp"]) == int(best["frame_idx"])
    assert seconds(best["scene_start_timestamp"]) == first
    assert int(best["original_index"]) == int(best["frame_idx"])
    assert set(best) == {
        "frame_idx",
        "timestamp",
        "image",
        "scene_start_timestamp",
        "scene_end_timestamp",
        "original_index",
        "hash_str",
        "video_path",
    }
    preview = Image.open(io.BytesIO(base64.b64decode(best["image"])))
    assert max(preview.size) <= 320


def test_a_text_search_finds_the_still_and_the_shot_of_the_cat(analyzed, shoot) -> None:
    client, cache_dir, _ = analyzed
    best = search(client, cache_dir, "text", query="a cat", max_results=2)
    assert {match["video_path"] for match in best} == {str(shoot["cat still"]), str(shoot["shots"])}
    still = next(m for m in best if m["video_path"] == str(shoot["cat still"]))
    assert (still["frame_idx"], still["timestamp"], still["scene_end_timestamp"]) == (
        "0",
        "00:00:00",
        "00:00:00",
    )


def test_an_image_search_finds_its_picture(analyzed, shoot, photos) -> None:
    client, cache_dir, _ = analyzed
    by_path = search(client, cache_dir, "image", image_path=str(photos["rocket"]), max_results=1)
    assert by_path[0]["video_path"] == str(shoot["shots"])
    assert 7 <= int(by_path[0]["frame_idx"]) <= 11
    encoded = base64.b64encode(photos["rocket"].read_bytes()).decode()
    by_bytes = search(client, cache_dir, "image", image=encoded, max_results=1)
    assert by_bytes[0]["frame_idx"] == by_path[0]["frame_idx"]


def test_text_weight_changes_the_order_of_an_image_search(analyzed, photos) -> None:
    client, cache_dir, _ = analyzed

    def order(weight: float) -> list[tuple[str, str]]:
        matches = search(
            client,
            cache_dir,
            "image",
            image_path=str(photos["coffee"]),
            query="a cat",
            text_weight=weight,
        )
        return [(match["hash_str"], match["frame_idx"]) for match in matches]

    assert order(0) != order(5)


def test_a_frame_search_works_on_analysed_and_on_new_files(analyzed, shoot, tmp_path, photos):
    client, cache_dir, _ = analyzed
    stored = search(
        client, cache_dir, "frame", media_path=str(shoot["shots"]), time_seconds=1, max_results=3
    )
    assert str(shoot["cat still"]) in {match["video_path"] for match in stored}
    fresh = picture_video(tmp_path / "new.mp4", [(photos["flower"], 2), (photos["cat"], 2)])
    found = search(client, cache_dir, "frame", media_path=str(fresh), time_seconds=3, max_results=2)
    assert str(shoot["cat still"]) in {match["video_path"] for match in found}
    late = client.post(
        "/search/frame", media_path=str(fresh), time_seconds=99, cache_dir=str(cache_dir)
    )
    assert late.status_code == 400, late.text
    missing = client.post(
        "/search/frame", media_path=str(fresh) + "x", time_seconds=0, cache_dir=str(cache_dir)
    )
    assert missing.status_code == 404, missing.text


def test_media_paths_limit_a_search_and_search_all_lifts_the_limit(analyzed, shoot) -> None:
    client, cache_dir, _ = analyzed
    only = [str(shoot["astronaut"])]
    limited = search(client, cache_dir, "text", query="a cat", media_paths=only)
    assert {match["video_path"] for match in limited} == set(only)
    everything = search(client, cache_dir, "text", query="a cat", media_paths=only, search_all=True)
    assert len({match["video_path"] for match in everything}) == 4
    assert search(client, cache_dir, "text", query="a cat", media_paths=[]) == []


def test_exclude_lowers_a_concept_and_drops_nothing(analyzed) -> None:
    client, cache_dir, _ = analyzed
    plain = search(client, cache_dir, "text", query="animal")
    softened = search(client, cache_dir, "text", query="animal", exclude=["cat"])

    def key(match):
        return match["hash_str"], match["frame_idx"]

    assert {key(m) for m in plain} == {key(m) for m in softened}
    assert [key(m) for m in plain] != [key(m) for m in softened]


def test_thumbnails_come_in_request_order_with_null_where_none_can_be_had(analyzed, shoot) -> None:
    client, cache_dir, _ = analyzed
    requests = [
        {"media_path": str(shoot["shots"]), "time_seconds": 5},
        {"media_path": str(shoot["shots"]) + ".missing", "time_seconds": 1},
        {"media_path": str(shoot["still"]), "time_seconds": 0},
    ]
    answer = client.ok("/thumbnails", cache_dir=str(cache_dir), requests=requests)["thumbnails"]
    assert [item["thumbnail"] is None for item in answer] == [False, True, False]
    scene = client.ok(
        "/thumbnails/scene",
        cache_dir=str(cache_dir),
        media_path=str(shoot["shots"]),
        start_time="00:00:04",
        end_time=7,
    )["scene_thumbnails"]
    assert [pair[1] for pair in scene] == ["00:00:04", "00:00:05", "00:00:06"]


def test_metadata_tells_what_is_analysed(analyzed, shoot, tmp_path) -> None:
    client, cache_dir, _ = analyzed
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    paths = [str(shoot["shots"]), str(tmp_path / "broken.mp4"), str(shoot["still"])]
    video, broken, still = client.ok(
        "/media/metadata", media_paths=paths, cache_dir=str(cache_dir)
    )["media"]
    assert video["analysis"] == {
        "visual": ["conse-lite0"],
        "transcribed": False,
        "face_jobs": [],
    }
    assert (video["media_type"], still["media_type"]) == ("video", "image")
    assert video["duration_seconds"] == pytest.approx(12, abs=0.2)
    assert broken["error"]
    assert video["error"] is None


def test_what_is_done_is_skipped_and_force_redoes_it(analyzed, shoot) -> None:
    client, cache_dir, _ = analyzed

    def made_at() -> float:
        paths = client.ok(
            "/cache-paths", cache_dir=str(cache_dir), media_paths=[str(shoot["astronaut"])]
        )["cache_paths"][0]
        assert paths["visual"]["exists"]
        assert paths["frames"]["exists"]
        return Path(paths["visual"]["path"]).stat().st_mtime_ns

    first = made_at()
    client.analyzed(cache_dir, shoot["astronaut"])
    assert made_at() == first
    client.analyzed(cache_dir, shoot["astronaut"], force=True)
    assert made_at() != first
    matches = search(client, cache_dir, "text", query="a cat", search_all=True)
    assert len({(m["hash_str"], m["frame_idx"]) for m in matches}) == len(matches)


def test_loading_counts_what_is_there_and_names_what_is_missing(analyzed, shoot, tmp_path) -> None:
    client, cache_dir, _ = analyzed
    everything = client.ok("/analysis-data/load", cache_dir=str(cache_dir))
    assert (everything["visual_files"], everything["transcription_files"]) == (4, 0)
    assert everything["frames"] == 12 + 4 + 1 + 1
    assert everything["skipped"] == []
    some = client.ok(
        "/analysis-data/load-for-media",
        cache_dir=str(cache_dir),
        media_paths=[str(shoot["still"]), str(tmp_path / "never.mp4")],
    )
    assert (some["visual_files"], some["missing"]) == (1, [str(tmp_path / "never.mp4")])


def test_a_late_join_replays_the_final_state_at_once(analyzed) -> None:
    client, _, events = analyzed
    task_id = str(events[-1]["task_id"])
    with Watcher(client.url, transports=["polling"]) as watcher:
        watcher.join(task_id)
        replay = watcher.until_final(task_id, timeout_s=5)
    assert [event["status"] for event in replay] == ["completed"]


def test_one_bad_file_fails_alone_with_a_reason(stack, shoot, tmp_path) -> None:
    client = stack.client()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mov").write_text("this is no film")
    (tmp_path / "folder.mp4").mkdir()
    whole = shoot["astronaut"].read_bytes()
    (tmp_path / "sound.wav").write_bytes(b"RIFF")
    (tmp_path / "cut.mkv").write_bytes(whole[:2000])
    bad = ["empty.mp4", "text.mov", "folder.mp4", "missing.mp4", "sound.wav", "cut.mkv"]
    record = client.analyzed(
        tmp_path / "cache", *(tmp_path / name for name in bad), shoot["astronaut"]
    )
    reasons = {Path(f["media_path"]).name: f["error"] for f in record["failed_files"]}
    assert set(reasons) == set(bad)
    assert all(len(reason) > 10 for reason in reasons.values()), reasons
    assert (record["current"], record["total"]) == (7, 7)
    listed = client.get("/tasks?state=failed&details=true").json()["tasks"]
    [counted] = [task for task in listed if task["task_id"] == record["task_id"]]
    assert counted["failed_count"] == len(bad)
    assert counted["footage_seconds"] > 0
    mended = tmp_path / "text.mov"
    mended.write_bytes(whole)
    again = client.ok(f"/tasks/{record['task_id']}/retry", paths=[str(mended)])["task_id"]
    record = client.wait_final(again)
    assert (record["status"], record["total"], record["failed_files"]) == ("completed", 1, [])
