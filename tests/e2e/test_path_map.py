"""RUSHES_PATH_MAP: Windows and macOS clients of one server, each with its own form of paths."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.cache import CacheDir
from tests.conftest import PrivateRedis
from tests.media import Encoding, make_clip
from tests.sockets import Watcher
from tests.stack import Client, Stack, running_stack
from tests.transcribed import publish_for, spoken
from tests.waiting import wait_for

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    share = tmp_path_factory.mktemp("server") / "share"
    (share / "day 1").mkdir(parents=True)
    settings = {
        "RUSHES_PATH_MAP": f"{WINDOWS.share}={share};{MAC.share}={share}",
        "RUSHES_MEDIA_ROOTS": f"{share}/day 1:{share}/exports:{share}/away",
        "RUSHES_CACHE_ROOTS": str(share),
    }
    (share / "exports").mkdir()
    with contextlib.ExitStack() as keep:
        redis = PrivateRedis(Path(keep.enter_context(tempfile.TemporaryDirectory(prefix="rr-"))))
        redis.start()
        keep.callback(redis.stop)
        folder = tmp_path_factory.mktemp("stack")
        stack = keep.enter_context(running_stack(folder, redis.url, **settings))
        stack.start_worker("export")
        ready = stack.client().get
        wait_for(lambda: ready("/ready").json()["workers"].get("export"), 30, "exports")
        yield Server(stack, share)


@pytest.mark.parametrize("desk", [WINDOWS, MAC], ids=["windows", "mac"])
def test_each_client_is_answered_in_its_own_form_everywhere(server: Server, desk: Desk) -> None:
    name = f"clip of {desk.share[0]}.mp4".replace("/", "mac")
    film = make_clip(server.share / "day 1" / name, seconds=20, encoding=LONG)
    bad = server.share / "day 1" / f"bad {name}"
    bad.write_bytes(b"this is no video at all" * 100)
    cache = desk.path(f"cache of {name}")
    media, broken, gone = (desk.path("day 1", n) for n in (name, bad.name, f"no {name}"))
    told: list[Any] = []  # everything that the client is answered

    def ask(path: str, **body: Any) -> Any:
        told.append(server.client.ok(path, **body))
        return told[-1]

    with Watcher(server.client.url) as watcher:
        task_id = ask(
            "/analyze",
            cache_dir=cache,
            visual_media_paths=[media, broken, gone],
            transcription_jobs=[{"path": media}],
        )["task_id"]
        watcher.join(task_id)
        events = watcher.until_final(task_id, 60)
    told += events
    assert {event["media_path"] for event in events} - {"", None} <= {media, broken, gone}
    assert media in {event["media_path"] for event in events}
    assert {failed["media_path"] for failed in events[-1]["failed_files"]} == {broken, gone}
    told.append(server.client.task(task_id, files=True))
    told.append(server.client.get("/tasks").json()["tasks"][0])
    ours = CacheDir.open(server.share / f"cache of {name}", create=False)
    publish_for(ours, film, spoken(1, "a word of thanks", 3))
    everywhere = {"cache_dir": cache, "query": "red"}
    for more in ({}, {"media_paths": [media]}):
        [match] = ask("/search/text", **everywhere, **more)["matches"][:1]
        assert match["video_path"] == media
    [spoke] = ask("/search/transcript", cache_dir=cache, query="thanks")["matches"]
    assert spoke["media_path"] == media
    frame = ask("/search/frame", media_path=media, time_seconds=3, cache_dir=cache)["matches"][0]
    assert frame["video_path"] == media
    asked = {"cache_dir": cache, "media_paths": [media, gone]}
    for path, array in (("/transcriptions", "transcriptions"), ("/media/metadata", "media")):
        assert [item["media_path"] for item in ask(path, **asked)[array]] == [media, gone]
    assert ask("/analysis-data/load-for-media", **asked)["missing"] == [gone]
    kept = ask("/cache-paths", **asked)["cache_paths"][0]
    assert kept["media_path"] == media
    for part in ("visual", "transcription", "frames", "faces"):
        assert kept[part]["path"].startswith(f"{cache}{desk.separator}media{desk.separator}")
    assert kept["visual"]["exists"]
    shown = ask("/thumbnails", cache_dir=cache, requests=[{"media_path": media, "time_seconds": 2}])
    assert shown["thumbnails"][0]["thumbnail"]
    clips = [{"media_path": media, "start_time": 1, "end_time": 2}]
    made = ask("/export/clips", clips=clips, output_dir=desk.path("exports"))["exported"][0]
    assert made["media_path"] == media
    assert made["output_path"].startswith(desk.path("exports", ""))
    xml = desk.path("exports", f"{name}.xml")
    assert ask("/export/premiere-xml", clips=clips, output_path=xml)["output_path"] == xml
    assert str(server.share) not in str(told)


@pytest.mark.parametrize("desk", [WINDOWS, MAC], ids=["windows", "mac"])
def test_what_is_wrong_is_told_in_the_clients_form(server: Server, desk: Desk) -> None:
    refused = server.client.post(
        "/analyze", cache_dir=desk.path("cache"), visual_media_paths=[desk.path("b.mov")]
    )
    assert refused.status_code == 403
    assert desk.path("b.mov") in refused.json()["message"]
    unknown = server.client.post("/search/text", cache_dir=desk.path("none"), query="a cat")
    assert desk.path("none") in unknown.json()["message"]
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
