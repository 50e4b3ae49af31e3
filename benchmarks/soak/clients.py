"""Twelve clients of one server at once, and what each gets: `scripts/soak clients`."""

from __future__ import annotations

import itertools
import os
import random
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.soak.lease_time import LeaseTime
from benchmarks.soak.load import WITHIN_S, Follower, Notes
from benchmarks.soak.soak import Result, percentile
from cli.processes import private_redis
from shared.settings import Settings
from tests.support import rushes_up
from tests.support.media.many_files import copy_of_its_own
from tests.support.media.media import make_clip
from tests.support.rushes_up import Up
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

MODES = ("replace", "queue", "refuse")
CLIENTS_A_MODE = 4
MOST_OF_MEDIAN = 1.5  # a client's median turnaround, by the median of all
MOST_OF_P50 = 5  # the 99th percentile of searches, by their median
SHARE = (0.07, 0.15)  # of the lease time, for the watch folder; a tenth is promised
LEAST_MEASURED_S = 30.0  # of lease time: in less, one file more or less is much of a tenth
_KEY = "soak-key"  # of those who search and watch
_CLIP_S = (2, 3, 4)
_WATCHED_S = 20
_DROP_EVERY_S = 5.0
_ASK_AGAIN_S = 1.0  # after a 409
_END_WITHIN_S = 300.0


@dataclass
class Studio:
    """What all clients share: the server, its footage, when to stop, and what must never be."""

    up: Up
    url: str
    folder: Path
    follower: Follower
    stopping: threading.Event = field(default_factory=threading.Event)
    faults: list[str] = field(default_factory=list)
    searches: list[float] = field(default_factory=list)  # seconds, see Stopwatch
    dropped: list[Path] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.cache = self.folder / "cache"
        self.incoming = self.folder / "incoming"
        self.incoming.mkdir()
        self.bases = [make_clip(self.folder / f"base {s}.mp4", s) for s in _CLIP_S]
        self.long = make_clip(self.folder / "long.mp4", _WATCHED_S)

    def http(self, key: str) -> httpx.Client:
        headers = {"X-License-Key": key}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=60)

    def new_clip(self, base: Path, folder: Path) -> Path:
        """A copy whose content no other file has, complete when it has its name."""
        number = next(self._numbers)
        path = folder / f"clip {number}.mp4"
        path.parent.mkdir(exist_ok=True)
        os.rename(copy_of_its_own(base, self.folder / f"{number}.making", number), path)
        return path


@dataclass
class Client:
    """One key: sends a small analysis, the next when the last has ended or was refused."""

    studio: Studio
    name: str
    mode: str
    chance: random.Random
    accepted: int = 0
    refused: int = 0
    ends: list[str] = field(default_factory=list)  # the last status of each
    turnarounds: list[float] = field(default_factory=list)  # seconds from the 202 to the end

    @property
    def key(self) -> str:
        return f"key of {self.name}"

    def work(self) -> None:
        with self.studio.http(self.key) as http:
            while not self.studio.stopping.is_set():
                self._analyze(http)

    def _analyze(self, http: httpx.Client) -> None:
        studio = self.studio
        bases = self.chance.choices(studio.bases, k=self.chance.randint(1, 3))
        clips = [str(studio.new_clip(base, studio.folder / self.name)) for base in bases]
        body = {"cache_dir": str(studio.cache), "visual_media_paths": clips, "on_busy": self.mode}
        answer = http.post("/analyze", json=body)
        if answer.status_code == 409:
            self.refused += 1
            studio.stopping.wait(_ASK_AGAIN_S)
        elif answer.status_code == 202:
            self.accepted += 1
            self._follow(answer.json()["task_id"])
        else:
            studio.faults.append(f"{self.name}: {answer.status_code} {answer.text[:200]}")
            studio.stopping.wait(_ASK_AGAIN_S)

    def _follow(self, task_id: str) -> None:
        began, ends = time.monotonic(), self.studio.follower.ends
        self.studio.follower.follow("analysis", task_id)
        try:
            wait_for(lambda: task_id in ends, _END_WITHIN_S, f"the end of {task_id}", every_s=0.05)
        except AssertionError as error:
            self.studio.faults.append(f"{self.name}: {error}")
            return
        self.turnarounds.append(time.monotonic() - began)
        end = ends[task_id]
        self.ends.append(end["status"])
        if end["status"] != "completed" or end["failed_files"]:
            self.studio.faults.append(f"{self.name}: {end['status']}: {end['message']}")


def soak_clients(folder: Path, seconds: float, seed: int) -> Result:
    """Run it all on a new folder; takes up to three minutes more than `seconds`."""
    names = [f"{mode} {n}" for mode in MODES for n in range(1, CLIENTS_A_MODE + 1)]
    keys = [_KEY, *(f"key of {name}" for name in names)]
    up = rushes_up.start(folder, RUSHES_LICENSE_KEYS=",".join(keys))
    try:
        up.wait_for_line("ready on http")
        url = f"http://127.0.0.1:{up.port}"
        studio = Studio(up, url, folder, Follower(url, _KEY, Notes()))
        clients = [
            Client(studio, name, name.split()[0], random.Random(f"{seed} {name}")) for name in names
        ]
        redis_url = private_redis.running_url(Settings(state_dir=up.state_dir))
        assert redis_url is not None
        with studio.http(_KEY) as http, LeaseTime(redis_url) as leases:
            watched = _watch(studio, http)
            _run(studio, [client.work for client in clients], seconds)
            done = _wait_for_watched(studio, http, watched)
        studio.follower.close()
    finally:
        rushes_up.end(up)
    return _judge(studio, clients, leases, done)


def _watch(studio: Studio, http: httpx.Client) -> str:
    """Start with a film that searches find, and a watch folder; the folder's id."""
    film = [str(studio.long)]
    body: dict[str, Any] = {"cache_dir": str(studio.cache), "visual_media_paths": film}
    task_id = http.post("/analyze", json=body).raise_for_status().json()["task_id"]
    studio.follower.follow("analysis", task_id)
    wait_for(lambda: task_id in studio.follower.ends, 60, "the first film", every_s=0.1)
    query = {"cache_dir": str(studio.cache), "query": "a thing"}
    wait_for(lambda: http.post("/search/text", json=query).is_success, 60, "the model", every_s=0.1)
    http.post("/watch-folders/service/start", json={}).raise_for_status()
    body = {"path": str(studio.incoming), "cache_dir": str(studio.cache), "settle_seconds": 0.5}
    watched: str = http.post("/watch-folders", json=body).raise_for_status().json()["id"]
    return watched


def _run(studio: Studio, jobs: list[Callable[[], None]], seconds: float) -> None:
    jobs += [lambda: _search(studio), lambda: _search(studio), lambda: _drop(studio)]
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    studio.stopping.wait(seconds)
    studio.stopping.set()
    for thread in threads:
        thread.join()


def _search(studio: Studio) -> None:
    with studio.http(_KEY) as http:
        for number in itertools.count():
            query = f"a thing, {threading.get_ident()} {number}"  # nobody has asked it before
            body = {"cache_dir": str(studio.cache), "query": query}
            asked, stopwatch = time.monotonic(), Stopwatch(None, *_answering(studio.up))
            # A 503: another query worker has begun and loads its model.
            while (answer := http.post("/search/text", json=body)).status_code == 503:
                if time.monotonic() - asked > WITHIN_S or studio.stopping.wait(0.3):
                    break
            if answer.status_code == 503 and studio.stopping.is_set():
                return
            studio.searches.append(stopwatch.seconds())
            if answer.status_code != 200 or not answer.json()["matches"]:
                studio.faults.append(f"a search: {answer.status_code} {answer.text[:200]}")
            if studio.stopping.wait(0.2):
                return


def _answering(up: Up) -> list[int]:
    """The processes that answer a search."""
    starts = re.findall(r"(?:api|query worker[ \d]*) runs as process (\d+)", up.text())
    return list(map(int, starts))


def _drop(studio: Studio) -> None:
    while not studio.stopping.is_set():
        studio.dropped.append(studio.new_clip(studio.long, studio.incoming))
        studio.stopping.wait(_DROP_EVERY_S)


def _wait_for_watched(studio: Studio, http: httpx.Client, watched: str) -> int:
    """How many files were done while the clients worked; all of them must be at last."""

    def processed() -> int:
        answer = http.get(f"/watch-folders/{watched}/files?state=processed&limit=1000")
        return len(answer.raise_for_status().json()["files"])

    done = processed()
    try:
        wait_for(lambda: processed() >= len(studio.dropped), 300, "the watch folder", every_s=1)
    except AssertionError:
        studio.faults.append(f"the watch folder: {processed()} of {len(studio.dropped)} files done")
    return done


def _judge(studio: Studio, clients: list[Client], leases: LeaseTime, done: int) -> Result:
    result = Result(broken=list(studio.faults))
    medians = {c.name: statistics.median(c.turnarounds) for c in clients if c.turnarounds}
    of_all = statistics.median([s for c in clients for s in c.turnarounds] or [0.0])
    for client in clients:
        median = medians.get(client.name, 0.0)
        if median > MOST_OF_MEDIAN * of_all:
            result.broken.append(f"{client.name} waits {median:.1f} s, all {of_all:.1f} s")
        if client.refused and client.mode != "refuse":
            result.broken.append(f"{client.name} was refused, though nothing of its own ran")
        if len(client.ends) != client.accepted:
            result.broken.append(f"{client.name}: {client.accepted - len(client.ends)} tasks lost")
        if not client.accepted and client.mode != "refuse":
            result.broken.append(f"{client.name} had nothing accepted")
    p50, p99 = percentile(studio.searches, 0.5), percentile(studio.searches, 0.99)
    if p99 > MOST_OF_P50 * p50:
        result.broken.append(
            f"searches: p99 {p99:.2f} s, more than {MOST_OF_P50} x p50 {p50:.2f} s"
        )
    share = leases.share
    if leases.is_enough(LEAST_MEASURED_S) and not SHARE[0] <= share <= SHARE[1]:
        result.broken.append(f"the watch folder had {share:.1%} of the lease time, not a tenth")
    result.lines += _table(clients, medians)
    result.lines.append(
        f"median turnaround of all: {of_all:.1f} s; `refuse` gets in only where nobody runs"
    )
    result.lines.append(f"{len(studio.searches)} searches: p50 {p50:.2f} s, p99 {p99:.2f} s")
    result.lines.append(f"{done} of {len(studio.dropped)} watched files were done beside them")
    result.lines.append(leases.told(LEAST_MEASURED_S))
    return result


def _table(clients: list[Client], medians: dict[str, float]) -> Iterator[str]:
    counts = f"{'accepted':>8} {'completed':>9} {'cancelled':>9} {'409':>5}"
    yield f"{'client':<10} {counts} {'median s':>9}"
    for one in clients:
        completed, cancelled = one.ends.count("completed"), one.ends.count("cancelled")
        median = f"{medians[one.name]:.1f}" if one.name in medians else "-"
        counts = f"{one.accepted:>8} {completed:>9} {cancelled:>9} {one.refused:>5}"
        yield f"{one.name:<10} {counts} {median:>9}"
