"""RUSHES_PATH_MAP: Windows and macOS clients of one server, each with its own form of paths."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shared.cache.cache_dir import CacheDir
from tests.support.media.media import Encoding, make_clip
from tests.support.private_redis import PrivateRedis
from tests.support.search.transcribed import publish_for, spoken
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for

LONG = Encoding(fps=2, gop=4, tone_hz=440)


@dataclass(frozen=True)
class Desk:
    """How one client calls the share."""

    share: str
    separator: str

    def path(self, *names: str) -> str:
        return self.separator.join((self.share, *names))


WINDOWS = Desk("Z:\\footage", "\\")
MAC = Desk("/Volumes/footage", "/")


@dataclass(frozen=True)
class Server:
    stack: Stack
    share: Path

    @property
    def client(self) -> Client:
        return self.stack.client()


@dataclass(frozen=True)
class Talk:
    """One client that has had a film analysed, a file that is none, and one that is not there."""

    server: Server
    desk: Desk
    name: str
    told: list[Any] = field(default_factory=list)  # all that it was answered

    @property
    def cache(self) -> str:
        return self.desk.path(f"cache of {self.name}")

    def path(self, before: str = "") -> str:
        return self.desk.path("day 1", before + self.name)

    def ask(self, path: str, **body: Any) -> Any:
        """With the cache_dir; no answer may name a path of the server's."""
        answer = self.server.client.ok(path, cache_dir=self.cache, **body)
        self.heard(answer)
        return answer

    def heard(self, answer: Any) -> None:
        assert str(self.server.share) not in str(answer)
        self.told.append(answer)

    def analyze(self) -> None:
        folder = self.server.share / "day 1"
        film = make_clip(folder / self.name, seconds=20, encoding=LONG)
        (folder / f"bad {self.name}").write_bytes(b"this is no video at all" * 100)
        with Watcher(self.server.client.url) as watcher:
            paths = [self.path(), self.path("bad "), self.path("no ")]
            jobs = [{"path": self.path()}]
            task = self.ask("/analyze", visual_media_paths=paths, transcription_jobs=jobs)
            watcher.join(task["task_id"])
            for event in watcher.until_final(task["task_id"], 60):
                self.heard(event)
        ours = CacheDir.open(self.server.share / f"cache of {self.name}", create=False)
        publish_for(ours, film, spoken(1, "a word of thanks", 3))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    share = tmp_path_factory.mktemp("server") / "share"
    (share / "day 1").mkdir(parents=True)
    (share / "exports").mkdir()
    settings = {
        "RUSHES_PATH_MAP": f"{WINDOWS.share}={share};{MAC.share}={share}",
        "RUSHES_MEDIA_ROOTS": f"{share}/day 1:{share}/exports:{share}/away",
        "RUSHES_CACHE_ROOTS": str(share),
    }
    with contextlib.ExitStack() as keep:
        redis = PrivateRedis(Path(keep.enter_context(tempfile.TemporaryDirectory(prefix="rr-"))))
        redis.start()
        keep.callback(redis.stop)
        folder = tmp_path_factory.mktemp("stack")
        stack = keep.enter_context(running_stack(folder, redis.url, apis=0, **settings))
        stack.start_worker("export")
        ready = stack.start_api().get
        stack.wait_ready(analysis=1, query=1)
        wait_for(lambda: ready("/ready").json()["workers"].get("export"), 30, "exports")
        yield Server(stack, share)


@pytest.fixture(scope="module", params=[WINDOWS, MAC], ids=["windows", "mac"])
def talk(server: Server, request: pytest.FixtureRequest) -> Talk:
    desk: Desk = request.param
    talk = Talk(server, desk, "clip of Z.mp4" if desk is WINDOWS else "clip of mac.mp4")
    talk.analyze()
    return talk


def test_progress_names_the_files_as_the_client_does(talk: Talk) -> None:
    good, broken, gone = talk.path(), talk.path("bad "), talk.path("no ")
    events = [one for one in talk.told if "overall_progress" in one]
    # Of what changes within a quarter of a second only the newest state is sent.
    named = {event["media_path"] for event in events} - {"", None}
    assert named
    assert named <= {good, broken, gone}
    assert {failed["media_path"] for failed in events[-1]["failed_files"]} == {broken, gone}
    record = talk.server.client.task(events[-1]["task_id"], files=True)
    talk.heard(record)
    assert {file["media_path"] for file in record["files"]} == {good, broken, gone}
    talk.heard(talk.server.client.get("/tasks").json())


def test_searches_name_the_film_as_the_client_does(talk: Talk) -> None:
    film = talk.path()
    for more in ({}, {"media_paths": [film]}):
        [match] = talk.ask("/search/text", query="red", **more)["matches"][:1]
        assert match["video_path"] == film
    found = talk.ask("/search/frame", media_path=film, time_seconds=3)
    assert found["matches"][0]["video_path"] == film
    [spoke] = talk.ask("/search/transcript", query="thanks")["matches"]
    assert spoke["media_path"] == film


def test_what_is_known_of_a_film_and_where_it_lies_is_told_in_the_clients_form(talk: Talk) -> None:
    film, gone = talk.path(), talk.path("no ")
    for path, array in (("/transcriptions", "transcriptions"), ("/media/metadata", "media")):
        answer = talk.ask(path, media_paths=[film, gone])
        assert [item["media_path"] for item in answer[array]] == [film, gone]
    loaded = talk.ask("/analysis-data/load-for-media", media_paths=[film, gone])
    assert loaded["missing"] == [gone]
    [kept] = talk.ask("/cache-paths", media_paths=[film])["cache_paths"]
    assert kept["media_path"] == film
    assert kept["visual"]["exists"]
    for part in ("visual", "transcription", "frames", "faces"):
        folder = talk.desk.path(f"cache of {talk.name}", "media", "")
        assert kept[part]["path"].startswith(folder)
    shown = talk.ask("/thumbnails", requests=[{"media_path": film, "time_seconds": 2}])
    assert shown["thumbnails"][0]["thumbnail"]


def test_exports_are_told_in_the_clients_form(talk: Talk) -> None:
    clips = [{"media_path": talk.path(), "start_time": 1, "end_time": 2}]
    folder = talk.desk.path("exports")
    [made] = talk.ask("/export/clips", clips=clips, output_dir=folder)["exported"]
    assert made["media_path"] == talk.path()
    assert made["output_path"].startswith(talk.desk.path("exports", ""))
    xml = talk.desk.path("exports", f"{talk.name}.xml")
    answer = talk.ask("/export/premiere-xml", clips=clips, output_path=xml)
    assert answer["output_path"] == xml


@pytest.mark.parametrize("desk", [WINDOWS, MAC], ids=["windows", "mac"])
def test_what_is_wrong_is_told_in_the_clients_form(server: Server, desk: Desk) -> None:
    refused = server.client.post(
        "/analyze", cache_dir=desk.path("cache"), visual_media_paths=[desk.path("b.mov")]
    )
    assert refused.status_code == 403
    assert desk.path("b.mov") in refused.json()["message"]
    frame = {"media_path": desk.path("away", "none.mp4"), "time_seconds": 1}
    unknown = server.client.post("/search/frame", cache_dir=desk.path("cache"), **frame)
    assert unknown.status_code == 404
    assert desk.path("away", "none.mp4") in unknown.json()["message"]
    away = desk.path("away", "a.mp4")
    task_id = server.client.analyze(Path(desk.path("cache")), Path(away))

    def hint() -> bool:
        return "is not visible" in str(server.client.task(task_id)["message"])

    wait_for(hint, 20, lambda: str(server.client.task(task_id)))
    waiting = server.client.task(task_id)["message"]
    later = server.client.ok("/analyze/cancel", task_id=task_id)
    assert any(one.path("away") in waiting for one in (WINDOWS, MAC))
    for said in (refused.text, unknown.text, waiting, str(later)):
        assert str(server.share) not in said
