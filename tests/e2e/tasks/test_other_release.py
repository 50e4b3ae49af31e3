"""The API of one release with the workers of another, both ways, on what earlier pairs left."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from tests.support.exports.export_desk import clip, shown
from tests.support.media.media import Encoding, make_clip, picture_video
from tests.support.media.photos import known_photos
from tests.support.private_redis import private_redis
from tests.support.releases import KINDS, Day, Library, earlier_release
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for
from tests.support.watch.ingest import Ingest

pytestmark = pytest.mark.releases
LONG = Encoding(fps=2, gop=4)  # seconds that are quick to make and take time to analyze
KEEPER = "The old lighthouse keeper walked down to the water every morning."
CAMERA = "The third camera stopped before the actor came through the door."
ISLAND = "Every summer the children took a small boat across to the island."
DAYS = {  # what each pair analyzes, in turn; the later ones read what the earlier have left
    "old API": Day((("red", 6), ("nobody", 1), ("hair", 8)), "cat", KEEPER),
    "old workers": Day((("grey", 7), ("nobody", 1), ("red", 5)), "coffee", CAMERA),
    "nothing old": Day((("hair", 5), ("nobody", 1), ("left", 6)), "rocket", ISLAND),
}
PEOPLE = {  # then: name and seconds of each; Ada is red and hair, merged by hand
    "old API": {("Ada", 14)},
    "old workers": {("Ada", 19), (None, 7)},
    "nothing old": {("Ada", 24), (None, 7), (None, 6)},
}


@dataclass(frozen=True)
class Pair:
    """An API process, and workers of every kind of another release."""

    old: str  # which of them is; a key of DAYS
    stack: Stack
    library: Library
    media: dict[str, dict[str, Path]]  # of all pairs until now
    events: list[dict[str, Any]]  # of this one's analysis

    @property
    def client(self) -> Client:
        return self.library.client


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder of STATE_DIR and cache, and the Redis, of all pairs."""
    with private_redis() as redis:
        yield tmp_path_factory.mktemp("releases"), redis.url


@pytest.fixture(scope="module", params=list(DAYS))
def pair(request: pytest.FixtureRequest, place: tuple[Path, str]) -> Iterator[Pair]:
    """A pair that has analyzed its day."""
    old, release = request.param, earlier_release()
    days = {name: DAYS[name] for name in list(DAYS)[: list(DAYS).index(old) + 1]}
    media = {name: day.write(place[0] / name) for name, day in days.items()}
    with running_stack(*place, apis=0, query=0, analysis=0) as stack:
        for kind in KINDS:
            stack.start_worker(kind, **(release if old == "old workers" else {}))
        client = stack.start_api(**(release if old == "old API" else {}))
        stack.wait_ready(analysis=1, query=1)
        library = Library(client, place[0] / "cache")
        yield Pair(old, stack, library, media, library.analyze(media[old], followed_at=client))
        logs = "\n".join(process.text() for process in stack.processes.values())
        assert [line for line in logs.splitlines() if "ERROR" in line or "Traceback" in line] == []


def test_an_analysis_of_pictures_speech_and_faces_is_followed_to_its_end(pair: Pair) -> None:
    percents = [event["overall_progress"] for event in pair.events]
    assert percents == sorted(percents)
    last = pair.events[-1]
    assert (percents[-1], last["status"], last["failed_files"]) == (100, "completed", [])
    assert {event["type"] for event in pair.events} == {"video", "audio", "faces"}
    assert any(0 < event["progress"] < 100 for event in pair.events)
    paths = [str(path) for path in pair.media[pair.old].values()]
    found = pair.library.ok("/media/metadata", media_paths=paths)["media"]
    assert [file["analysis"] for file in found] == [
        {"visual": ["conse-lite0"], "transcribed": False, "face_jobs": ["Season 1"]},
        {"visual": ["conse-lite0"], "transcribed": False, "face_jobs": []},
        {"visual": [], "transcribed": True, "face_jobs": []},
    ]


def test_searches_find_what_each_pair_has_analyzed(pair: Pair) -> None:
    words = {"cat": "a cat", "coffee": "an espresso", "rocket": "a space shuttle"}
    for name, media in pair.media.items():
        thing = DAYS[name].thing
        for kind, query in (
            ("text", {"query": words[thing]}),
            ("image", {"image_path": str(known_photos()[thing])}),
        ):
            best = pair.library.search(kind, **query)[0]
            assert (best["video_path"], bool(best["image"])) == (str(media["thing"]), True)
        asked = {"media_path": str(media["thing"]), "time_seconds": 1}
        assert pair.library.search("frame", **asked)


def test_what_was_said_is_read_and_found_by_words_and_by_meaning(pair: Pair) -> None:
    for name, media in pair.media.items():
        path, last = str(media["said"]), DAYS[name].sentence.split()[-1]
        (transcript,) = pair.library.ok("/transcriptions", media_paths=[path])["transcriptions"]
        assert transcript["segments"][-1][1].split()[-1].lower() == last
        for mode, query in (("substring", last[:-1]), ("semantic", DAYS[name].sentence)):
            best = pair.library.search("transcript", query=query, mode=mode)[0]
            assert best["media_path"] == path


def test_frames_and_previews_are_made(pair: Pair, tmp_path: Path) -> None:
    film = str(pair.media[pair.old]["people"])
    asked = [{"media_path": str(path), "time_seconds": 1} for path in (film, _long(tmp_path, 2))]
    answer = pair.library.ok("/thumbnails", requests=asked)
    assert all(item["thumbnail"] for item in answer["thumbnails"])
    preview = pair.client.ok("/media/playback", media_path=film)["preview"]
    piece = httpx.get(f"{pair.client.url}{preview['url']}/0", timeout=30)
    with av.open(io.BytesIO(piece.content)) as opened:
        assert len(list(opened.decode(video=0))) > 2


def test_people_keep_their_names_and_edits_when_they_are_clustered_again(pair: Pair) -> None:
    if pair.old == "old API":
        red, hair = pair.library.clusters()
        pair.library.name(red, "Ada")
        merge = {"cluster_ids": [hair], "target_cluster_id": red}
        pair.library.of_people("/faces/clusters/modify", merges=[merge])
    for _ in range(2):
        assert set(pair.library.clusters().values()) == PEOPLE[pair.old]
        assert pair.library.frames_of("Ada")
        pair.library.recluster()


def test_a_clip_is_cut_out(pair: Pair, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", 3)
    (tmp_path / "out").mkdir()
    body = {"output_dir": str(tmp_path / "out"), "mode": "encode", "background": True}
    clips = [clip(source, 1, 2), clip(source, 9, 10)]
    record = pair.client.wait_final(pair.client.ok("/export/clips", **body, clips=clips)["task_id"])
    assert (record["status"], len(record["failed_files"])) == ("completed", 1)
    (made,) = (tmp_path / "out").iterdir()
    assert shown(made) == list(range(25, 50))


def test_a_cancel_in_the_middle_leaves_nothing_of_the_file(pair: Pair, tmp_path: Path) -> None:
    task_id = pair.client.analyze(tmp_path / "cache", _long(tmp_path, 900))
    with Watcher(pair.client.url) as watcher:
        watcher.join(task_id)
        wait_for(lambda: any(e["progress"] > 0 for e in watcher.of(task_id)), 30, "progress")
        assert pair.client.ok("/analyze/cancel", task_id=task_id)["cancelled"] is True
        assert watcher.until_final(task_id, 20)[-1]["status"] == "cancelled"
    assert [p for p in (tmp_path / "cache" / "media").rglob("*") if p.is_file()] == []


def test_a_watched_folder_is_analyzed(pair: Pair, tmp_path: Path) -> None:
    ingest = Ingest(pair.client)
    ingest.start()
    folder = ingest.add(tmp_path, f"{tmp_path} cache")
    with ingest.room() as room:
        room.join("watch-folders")
        film = picture_video(tmp_path / "rocket.mp4", [(known_photos()["rocket"], 2)])
        folder.wait_processed(1)
        wait_for(lambda: room.events[-1]["files_processed_this_session"], 10, "the event of it")
    assert folder.found("a space shuttle") == str(film)
    folder.delete()
    ingest.stop()
    ingest.wait_state("stopped")


def test_all_workers_are_seen(pair: Pair) -> None:
    answer = pair.client.get("/machines").json()
    processes = [process for machine in answer["machines"] for process in machine["processes"]]
    running = {kind: pair.stack.processes[f"{kind}-0"].popen.pid for kind in KINDS}
    assert {process["kind"]: process["pid"] for process in processes} == running
    assert answer["lacks"] == []
    (models,) = (process["models"] for process in processes if process["kind"] == "analysis")
    assert {model["kind"] for model in models} == {"visual", "speech", "faces"}


def _long(folder: Path, seconds: int) -> Path:
    return make_clip(folder / f"{seconds}.mp4", seconds, encoding=LONG)
