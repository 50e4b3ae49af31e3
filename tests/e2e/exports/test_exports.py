"""Clips over HTTP with the real processes: cut, follow, cancel, beside a running analysis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from tests.support.exports.export_desk import WITH_TIMECODE, clip, shown
from tests.support.media.media import H264, make_clip
from tests.support.search.search_data import media_hash, publish
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for

PATH = "/export/clips"


@pytest.fixture(scope="module")
def exporting(stack: Stack) -> Iterator[Stack]:
    """The stack with two export workers."""
    for number in range(2):
        stack.start_worker("export", number)

    def are_live() -> bool:
        return stack.client().get("/ready").json()["workers"].get("export", 0) >= 2

    wait_for(are_live, 30, "export workers")
    yield stack
    for number in range(2):
        assert stack.processes.pop(f"export-{number}").end() == 0


@pytest.fixture
def films(tmp_path: Path) -> tuple[Path, Path]:
    """One at 25 and one at 23.976 frames a second, with timecode and sound."""
    first = make_clip(tmp_path / "A001.mov", 4, encoding=WITH_TIMECODE)
    ntsc = replace(H264, fps=Fraction(24000, 1001), tone_hz=440)
    return first, make_clip(tmp_path / "B002.mp4", 4, encoding=ntsc)


def test_three_clips_of_two_films_of_which_one_is_bad(
    exporting: Stack, films: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = films
    out = tmp_path / "out"
    out.mkdir()
    answer = exporting.client().ok(
        PATH,
        output_dir=str(out),
        clips=[
            clip(first, "10:00:01:00", "10:00:02:00", name="Ada"),
            clip(second, 40, 41),
            clip(second, "00:00:01.001", "00:00:02.002"),
        ],
    )
    ada, other = answer["exported"]
    assert (ada["index"], ada["output_path"]) == (0, str(out / "Ada.mov"))
    assert shown(ada["output_path"]) == list(range(25, 50))
    assert (other["index"], other["frames"]) == (2, 24)
    assert shown(other["output_path"]) == list(range(24, 48))
    assert os.path.basename(other["output_path"]) == "B002_00-00-01-001_00-00-02-002.mp4"
    (bad,) = answer["failed"]
    assert (bad["index"], bad["media_path"], bad["code"]) == (1, str(second), "bad_range")
    assert "past the end" in bad["error"]
    assert len(list(out.iterdir())) == 2


@pytest.fixture
def scenes(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A film with cuts at 1.2 and 2.8 s, analyzed, and what asks for their places."""
    red, blue = (200, 40, 40), (40, 40, 200)
    film = make_clip(tmp_path / "film.mp4", shots=[(red, 1.2), (blue, 1.6), (red, 1.2)])
    cache = CacheDir.open(tmp_path / "cache", create=True)
    found = (Scene(0, 2), Scene(2, 3), Scene(3, 4))
    publish(cache, media_hash(1), np.ones((4, 2)), scenes=found, path=film)
    return film, {"cache_dir": str(cache.root), "exact_cuts": True}


def test_a_scene_is_cut_out_to_the_picture(
    exporting: Stack, scenes: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    film, exactly = scenes
    (tmp_path / "out").mkdir()
    body = {"output_dir": str(tmp_path / "out"), "clips": [clip(film, 2, 3)], "mode": "encode"}
    (made,) = exporting.client().ok(PATH, **body, **exactly)["exported"]
    assert shown(made["output_path"]) == list(range(30, 70))
    refused = exporting.client().post(PATH, **body, exact_cuts=True)
    assert (refused.status_code, refused.json()["message"].split()[0]) == (400, "cache_dir")


def test_a_timeline_has_scenes_to_the_picture_where_they_are_known(
    stack: Stack, scenes: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    film, exactly = scenes
    client, path = stack.client(), "/export/premiere-xml"
    clips = [clip(film, *times) for times in ((2, "00:00:03"), (2.5, 3), (0, 4))]

    def ranges(**more: Any) -> list[tuple[float, float]]:
        text = client.ok(path, clips=clips, format="otio", **more)["text"]
        timeline = otio.adapters.read_from_string(text)
        parts = [part.source_range for part in timeline.tracks[0]]
        return [(part.start_time.value, part.duration.value) for part in parts]

    assert ranges() == [(50, 25), (63, 12), (0, 100)]
    assert ranges(**exactly) == [(30, 40), (63, 7), (0, 100)]
    other = make_clip(tmp_path / "other.mp4", 3)
    plain = client.ok(path, clips=[clip(other, 1, 2)])
    assert client.ok(path, clips=[clip(other, 1, 2)], **exactly) == plain, "nobody knows its scenes"

    cache = CacheDir.open(exactly["cache_dir"], create=False)
    publish(cache, media_hash(1), np.ones((4, 2)), scenes=(Scene(0, 2), Scene(2, 4)))
    film.write_bytes(b"no film")
    cache.remember_path(media_hash(1), str(film), 7, film.stat().st_mtime_ns)
    answer = client.post(path, clips=[clips[0], clip(other, 1, 2)], **exactly)
    assert answer.status_code == 200
    assert "clips[0].start_time is not exact" in answer.headers["X-Rushes-Warnings"]


def test_in_the_background_it_is_followed_to_its_end_from_another_api_process(
    exporting: Stack, second_api: Client, films: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    clips = [clip(films[0], n / 2, n / 2 + 0.5, name=f"{n}") for n in range(8)]
    accepted = exporting.client().post(
        PATH, output_dir=str(out), clips=[*clips, clip("/none.mov")], mode="encode", background=True
    )
    assert accepted.status_code == 202
    task_id = accepted.json()["task_id"]
    with Watcher(second_api.url) as watcher:
        watcher.join(task_id)
        events = watcher.until_final(task_id, timeout_s=60)
    last = events[-1]
    assert (last["type"], last["status"], last["current"]) == ("export", "completed", 9)
    assert last["failed_files"] == [
        {"media_path": "/none.mov", "error": "The file does not exist."}
    ]
    found = second_api.get(f"/tasks/{task_id}/exports").json()
    assert [made["index"] for made in found["exported"]] == list(range(8))
    assert [failed["code"] for failed in found["failed"]] == ["missing_media"]
    pictures = [number for made in found["exported"] for number in shown(made["output_path"])]
    assert sorted(set(pictures)) == list(range(100))
    files = second_api.task(task_id, files=True)["files"]
    assert {file["worker"].partition("-")[0] for file in files if file["worker"]} == {"export"}


def test_paths_are_mapped_both_ways(
    films: tuple[Path, Path], tmp_path: Path, redis_url: str
) -> None:
    (tmp_path / "out").mkdir()
    settings = {"RUSHES_PATH_MAP": f"Z:\\={tmp_path};//nas/share={tmp_path / 'out'}"}
    with running_stack(tmp_path / "s", redis_url, analysis=0, query=0, **settings) as stack:
        client = stack.client()
        stack.start_worker("export", RUSHES_PATH_MAP="")  # it needs none
        _wait_export(client)
        answer = client.ok(
            PATH,
            output_dir="Z:\\out",
            clips=[
                clip("Z:\\A001.mov", 0, 0.2, name="a"),
                clip("z:/A001.mov", 0.2, 0.4, name="a"),
                clip("Z:\\none.mov"),
            ],
        )
        made = sorted(one["output_path"] for one in answer["exported"])
        assert made == ["Z:\\out\\a (2).mov", "Z:\\out\\a.mov"]
        assert [one["media_path"] for one in answer["exported"]] == ["Z:\\A001.mov", "z:/A001.mov"]
        assert answer["failed"][0]["media_path"] == "Z:\\none.mov"
        assert str(tmp_path) not in str(answer)
        assert sorted(os.listdir(tmp_path / "out")) == ["a (2).mov", "a.mov"]
        again = client.ok(
            PATH,
            output_dir="Z:\\out",
            clips=[clip("Z:\\A001.mov", 0, 0.2, name="a")],
            on_exists="error",
        )
        assert str(tmp_path) not in str(again)
        gone = client.post(PATH, output_dir="Z:\\gone", clips=[clip("Z:\\A001.mov")])
        assert gone.json()["message"].startswith("output_dir: the folder Z:\\gone does not exist")
        ours = client.ok(
            PATH, output_dir=str(tmp_path / "out"), clips=[clip(films[0], 0, 0.2, name="b")]
        )
        assert ours["exported"][0]["output_path"] == str(tmp_path / "out" / "b.mov")


def _wait_export(client: Client) -> None:
    def is_live() -> bool:
        return bool(client.get("/ready").json()["workers"].get("export"))

    wait_for(is_live, 30, "an export worker")


def test_an_analysis_is_neither_delayed_nor_stopped_by_exports_and_they_go_on_meanwhile(
    exporting: Stack, films: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    client = exporting.client()
    long = make_clip(tmp_path / "long.mov", 60, encoding=WITH_TIMECODE)
    body: dict[str, Any] = {
        "output_dir": str(out),
        "clips": [clip(long, 0, 60), clip(long, 0, 60), *[clip(films[1], 0, 1)] * 3],
        "mode": "encode",
        "codec": "hevc",
    }
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.http.post, PATH, json=body, timeout=110)
        tasks = wait_for(lambda: _running(client, "export"), 20, "the export to run")
        record = client.analyzed(tmp_path / "cache", *films)
        assert record["status"] == "completed"
        assert not waiting.done()
        assert client.task(tasks[0])["status"] == "running"
        assert client.ok("/analyze/cancel")["cancelled"] is False  # means the analysis alone
        assert client.task(tasks[0])["status"] == "running"
        client.ok("/analyze/cancel", task_id=tasks[0])
        answer = waiting.result(20)
    assert answer.status_code == 200
    assert {failed["code"] for failed in answer.json()["failed"]} == {"cancelled"}
    assert len(answer.json()["exported"]) + len(answer.json()["failed"]) == 5
    assert all(not name.startswith(".") for name in os.listdir(out))


def _running(client: Client, kind: str) -> list[str]:
    tasks = client.get("/tasks").json()["tasks"]
    return [
        task["task_id"] for task in tasks if task["kind"] == kind and task["status"] == "running"
    ]
