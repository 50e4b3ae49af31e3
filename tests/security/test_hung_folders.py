"""A share whose server is gone holds up those who want it, and nobody else; they are told so."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from api.http.endpoint import PREFIX
from shared.cache.cache_dir import CacheDir
from tests.support.search.transcript_data import publish_transcript, segments
from tests.support.stack import KEY, Client, Stack, running_stack
from tests.support.system.faulty_disk import FaultyDisk, faulty_disk
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

MANY = 200
TOLD_WITHIN_S = 10


@dataclass
class Office:
    """An API process, a share that may hang, with a cache folder and media, and the same here."""

    stack: Stack
    share: FaultyDisk
    cache: Path  # on this machine's own disk
    media: Path

    @property
    def client(self) -> Client:
        return self.stack.client()

    @property
    def hung_cache(self) -> Path:
        return self.share.mounted / "cache"


@pytest.fixture
def office(tmp_path: Path, redis_url: str) -> Iterator[Office]:
    source, cache, media = tmp_path / "source", tmp_path / "cache", tmp_path / "media"
    for folder in (source / "media", media):
        folder.mkdir(parents=True)
        (folder / "a.mov").write_bytes(b"no film")
    for folder in (source / "cache", cache):
        CacheDir.open(str(folder), create=True)
    with (
        faulty_disk(source, tmp_path / "share") as share,
        running_stack(tmp_path / "stack", redis_url, analysis=0, query=0) as stack,
    ):
        found = Office(stack, share, cache, media)
        for folder in (found.hung_cache, cache):
            found.client.ok("/analysis-data/load", cache_dir=str(folder))
        yield found
        share.come_back()


def took(office: Office, ask: Callable[[], httpx.Response], status: int) -> float:
    """Seconds until the answer, which must have that status."""
    stopwatch = Stopwatch(office.stack)
    answer = ask()
    assert answer.status_code == status, answer.text
    return stopwatch.seconds()


def load(client: Client, cache_dir: Path) -> httpx.Response:
    return client.post("/analysis-data/load", cache_dir=str(cache_dir))


@dataclass
class Told:
    status: int
    retry_after_s: int
    error: str
    message: str


@contextlib.contextmanager
def asked_by_many(office: Office) -> Iterator[list[Future[Told]]]:
    """Many requests that go into the share, all under way; httpx takes seconds for so many."""
    begun = threading.Barrier(MANY + 1)
    body = json.dumps({"cache_dir": str(office.hung_cache)})

    def ask() -> Told:
        connection = http.client.HTTPConnection("127.0.0.1", office.stack.ports[0], timeout=60)
        begun.wait()
        with contextlib.closing(connection):
            connection.request("POST", f"{PREFIX}/analysis-data/load", body, {"X-License-Key": KEY})
            answer = connection.getresponse()
            said = json.loads(answer.read())
        return Told(answer.status, int(answer.headers["Retry-After"] or 0), **said)

    with ThreadPoolExecutor(MANY) as pool:
        asked = [pool.submit(ask) for _ in range(MANY)]
        begun.wait()
        yield asked


def test_a_cache_folder_that_hangs_is_told_and_all_else_is_answered(office: Office) -> None:
    client = office.client
    office.share.hang()
    times: dict[str, list[float]] = {"/health": [], "/ready?require=redis": [], "/tasks": []}
    others: list[float] = []
    with asked_by_many(office) as asked:
        stopwatch = Stopwatch(office.stack)
        while not all(future.done() for future in asked):
            for path, found in times.items():
                found.append(took(office, functools.partial(client.get, path), 200))
            others.append(took(office, lambda: load(client, office.cache), 200))
        told_after_s = stopwatch.seconds()
    slowest = {path: max(found) for path, found in (*times.items(), ("other folder", others))}
    print(f"told after {told_after_s:.1f} s; slowest: {slowest}")
    for answer in (future.result() for future in asked):
        assert (answer.status, answer.error) == (503, "Folder does not answer")
        assert f"The folder {office.hung_cache} does not answer" in answer.message
        assert answer.retry_after_s > 0
    assert told_after_s < TOLD_WITHIN_S
    health = sorted(times["/health"])
    assert health[len(health) * 95 // 100] < 0.3
    assert max(slowest.values()) < 2
    assert took(office, lambda: load(client, office.hung_cache), 503) < 0.5  # known by now
    office.share.come_back()
    wait_for(lambda: load(client, office.hung_cache).status_code == 200, 10, "the share")


def test_the_process_ends_in_time_while_folders_hang(office: Office) -> None:
    office.share.hang()
    with asked_by_many(office) as asked:
        took(office, lambda: office.client.get("/health"), 200)
        api, stopwatch = office.stack.processes["api-0"], Stopwatch(office.stack)
        api.kill(signal.SIGTERM)
        wait_for(lambda: stopwatch.seconds() and api.popen.poll() is not None, 15, "its end")
        ended_after_s = stopwatch.seconds()
        assert api.popen.returncode == 0
        for future in asked:
            assert future.exception() or future.result().status >= 500
    assert "Ending without what still runs" in api.text()
    print(f"ended after {ended_after_s:.2f} s")
    assert ended_after_s < 2.5  # 2 s, and what the machine takes to clear up


def test_media_that_hang_are_an_error_of_their_own(office: Office) -> None:
    gone, there = office.share.mounted / "media" / "a.mov", office.media / "a.mov"
    office.share.hang()
    paths = [str(gone), str(there)]
    places = office.client.ok("/cache-paths", cache_dir=str(office.cache), media_paths=paths)
    first, second = places["cache_paths"]
    assert f"The folder {gone.parent} does not answer" in first["error"]
    assert second["error"] is None
    said = office.client.ok("/transcriptions", cache_dir=str(office.cache), media_paths=paths)
    first, second = said["transcriptions"]
    assert f"The folder {gone.parent} does not answer" in first["error"]
    assert second["error"] is None


def test_a_folder_that_hangs_costs_who_chooses_folders_a_sentence(office: Office) -> None:
    share, beside = office.share.mounted, office.media / "a.mov"
    office.share.hang()
    stopwatch = Stopwatch(office.stack)
    listed = office.client.http.post("/media/folder", json={"path": str(share.parent)}).json()
    online = {folder["name"]: folder["online"] for folder in listed["folders"]}
    assert (online[share.name], online[office.media.name]) == (False, True)
    asked = {"paths": [str(share / "media"), str(office.media)]}
    told = []
    for answer in (
        office.client.ok("/media/files", **asked),
        office.client.ok("/analyze/estimate", **asked, cache_dir=str(office.cache), speech=False),
    ):
        assert answer["is_partial"]
        assert f"{share / 'media'} does not answer" in answer["warnings"][0]
        told.append(answer["files"])
    assert (told[0], told[1]["total"]) == ([str(beside)], 1)
    hung = office.client.http.post("/media/folder", json={"path": str(share / "media")})
    assert (hung.status_code, hung.json()["error"]) == (503, "Folder does not answer")
    assert stopwatch.seconds() < TOLD_WITHIN_S + 5
    assert took(office, lambda: load(office.client, office.cache), 200) < 1


def test_a_search_does_not_wait_for_media_that_hang(office: Office) -> None:
    gone = office.share.mounted / "media" / "a.mov"
    cache = CacheDir.open(str(office.cache), create=False)
    publish_transcript(cache, "9ae0daaf81f5b2c3", segments("we are rolling"), path=gone)
    wanted = {"query": "rolling", "cache_dir": str(office.cache)}
    assert office.client.ok("/search/transcript", **wanted)["matches"]
    office.share.hang()
    for within_s in (4, 1):  # the second time it is known
        stopwatch = Stopwatch(office.stack)
        (match,) = office.client.ok("/search/transcript", **wanted)["matches"]
        assert match["media_path"] == str(gone)
        assert stopwatch.seconds() < within_s
        wait_for(lambda: load(office.client, office.hung_cache).status_code == 503, 15, "a 503")


def test_a_link_to_a_share_that_hangs_holds_up_nothing_beside_it(office: Office) -> None:
    link = office.cache.parent / "link"
    link.symlink_to(office.hung_cache)
    office.share.hang()
    answer = load(office.client, link)
    assert answer.status_code == 503
    assert str(link) in answer.json()["message"]
    assert took(office, lambda: load(office.client, office.cache), 200) < 1


def test_the_list_of_cache_folders_does_not_wait_for_one_that_hangs(office: Office) -> None:
    def listed() -> dict[str, bool]:
        answer = office.client.get("/analysis-data/folders").json()
        return {folder["cache_dir"]: folder["online"] for folder in answer["folders"]}

    both = {str(office.cache): True, str(office.hung_cache): True}
    assert listed() == both
    office.share.hang()
    for _ in range(2):
        stopwatch = Stopwatch(office.stack)
        assert listed() == {**both, str(office.hung_cache): False}
        assert stopwatch.seconds() < 4
    office.share.come_back()
    wait_for(lambda: listed() == both, 10, "the share")


def test_a_folder_is_looked_into_whatever_hangs_beside_it(office: Office) -> None:
    client = office.client
    (office.media / "share").symlink_to(office.share.mounted / "media")
    (office.media / "far.mov").symlink_to(office.share.mounted / "media" / "a.mov")
    client.analyze(office.hung_cache, office.media / "a.mov")
    asked = {"path": str(office.media), "cache_dir": str(office.cache)}
    office.share.hang()
    for _ in range(2):
        stopwatch = Stopwatch(office.stack)
        answer = client.http.post("/media/folder", json=asked).json()
        assert [(each["name"], each["online"]) for each in answer["folders"]] == [("share", False)]
        assert [each["name"] for each in answer["files"]] == ["a.mov"]
        assert "2 links in" in answer["warnings"][0]
        below = client.ok("/media/files", paths=[str(office.media)])
        assert (below["files"], below["is_partial"]) == ([str(office.media / "a.mov")], True)
        told_after_s = stopwatch.seconds()
        print(f"told after {told_after_s:.1f} s")
        assert told_after_s < TOLD_WITHIN_S
