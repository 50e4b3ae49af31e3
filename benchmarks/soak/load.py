"""Clients that use a server all the time, as careful clients do, and note what they got."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import socketio
import socketio.exceptions

from tests.support.media.media import make_clip, make_still
from tests.support.people.grouping_desk import NAME
from tests.support.socketio_client import FINAL

WITHIN_S = 15.0  # a client's patience with one request, over all its tries
_STILLS = 4  # of one analysis, beside a film


@dataclass
class Notes:
    """What the clients saw. `done`: by kind, when something was asked, and when it was done."""

    done: defaultdict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    late: Counter[str] = field(default_factory=Counter)  # requests without an answer in time
    faults: list[str] = field(default_factory=list)  # what must never be

    def note(self, kind: str, asked: float) -> None:
        self.done[kind].append((asked, time.monotonic()))


class Follower:
    """One Socket.IO client: joins again after every connection, until the end of each task."""

    def __init__(self, url: str, key: str, notes: Notes) -> None:
        self._notes = notes
        self._open: dict[str, str] = {}  # task -> its kind
        self.finals: Counter[str] = Counter()
        self.ends: dict[str, dict[str, Any]] = {}
        self._progress: dict[str, float] = {}
        self._client = socketio.Client(reconnection_delay=0.2, reconnection_delay_max=1)
        self._client.on("progress", self._hear)
        self._client.on("connect", self._join_all)
        self._client.on("disconnect", self._close_socket)
        self._client.connect(url, auth={"license_key": key}, retry=True, transports=["websocket"])

    def follow(self, kind: str, task_id: str) -> None:
        self._open[task_id] = kind
        self._join(task_id)

    def close(self) -> None:
        self._client.disconnect()

    def _close_socket(self, *_reason: str) -> None:
        """Close the socket to an API that was killed, which the library leaves open."""
        self._client.eio.ws.shutdown()

    def _join_all(self) -> None:
        for task_id in list(self._open):
            self._join(task_id)

    def _join(self, task_id: str) -> None:
        # Not connected just now: it is joined with the next connection.
        with contextlib.suppress(socketio.exceptions.BadNamespaceError):
            self._client.emit("join", task_id, callback=lambda told: self._joined(task_id, told))

    def _joined(self, task_id: str, told: dict[str, str]) -> None:
        if "error" in told:
            self._notes.faults.append(f"{task_id} could not be joined: {told}")

    def _hear(self, event: dict[str, Any]) -> None:
        task_id, kind = event["task_id"], self._open.get(event["task_id"], "")
        at = event["overall_progress"] + (1 if event["status"] in FINAL else 0)
        if kind and at > self._progress.get(task_id, 0):
            self._progress[task_id] = at
            self._notes.note(kind, time.monotonic())
        if event["status"] in FINAL:
            self.finals[task_id] += 1
            self.ends[task_id] = event
            self._open.pop(task_id, None)


@dataclass
class Load:
    """All clients of one server: `start`, and after `stop` all of their work is done or lost."""

    url: str
    key: str
    folder: Path
    notes: Notes = field(default_factory=Notes)
    stopping: threading.Event = field(default_factory=threading.Event)
    dropped: list[Path] = field(default_factory=list)
    names: int = 0
    exported: list[str] = field(default_factory=list)  # names of clips whose Task has completed
    watched: str = ""

    def __post_init__(self) -> None:
        self.cache = self.folder / "cache"
        self.incoming = self.folder / "incoming"
        self.exports = self.folder / "exports"
        self.film = make_clip(self.folder / "film.mp4", 8)
        for path in (self.incoming, self.exports):
            path.mkdir(parents=True)
        self.followers = [Follower(self.url, self.key, self.notes) for _ in range(2)]
        self.ask("api", "/watch-folders/service/start", {})
        watch = {"path": str(self.incoming), "cache_dir": str(self.cache), "settle_seconds": 0.3}
        self.watched = self.ask("api", "/watch-folders", watch)["id"]
        self._run("analyze", "/analyze", {"cache_dir": str(self.cache), **_seen(self.film)})
        jobs = [self._search, self._search, self._show, self._analyze, self._export]
        jobs += [self._recluster, self._drop, self._look_in, self._live]
        self._threads = [threading.Thread(target=self._repeat, args=(job,)) for job in jobs]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join()
        for follower in self.followers:
            follower.close()

    def ask(self, kind: str, path: str, body: Any = None) -> Any:
        """The answer of a careful client; None where it did not come within WITHIN_S.

        `body` is sent again as it is, or made anew if it is a function.
        """
        asked = time.monotonic()
        with httpx.Client(
            base_url=f"{self.url}/api/v1", headers={"X-License-Key": self.key}
        ) as http:
            while (left := asked + WITHIN_S - time.monotonic()) > 0:
                try:
                    sent = body() if callable(body) else body
                    method = "GET" if sent is None else "POST"
                    answer = http.request(method, path, json=sent, timeout=left)
                except httpx.TransportError:
                    time.sleep(0.3)
                    continue
                if answer.status_code in (200, 201, 202):
                    self.notes.note(kind, asked)
                    return answer.json()
                if answer.status_code != 503 and not self.stopping.is_set():
                    self.notes.faults.append(f"{path}: {answer.status_code} {answer.text[:200]}")
                    return None
                time.sleep(min(1.0, left))
        self.notes.late[kind] += 1
        return None

    def _repeat(self, job: Callable[[int], None]) -> None:
        for number in itertools.count():
            if self.stopping.is_set():
                return
            job(number)

    def _run(self, kind: str, path: str, body: Any) -> bool:
        """A Task to its end, at every follower; whether it was accepted and completed."""
        answer = self.ask("task", path, body)
        if answer is None:
            return False
        for follower in self.followers:
            follower.follow(kind, answer["task_id"])
        until = time.monotonic() + 120
        while not all(answer["task_id"] in follower.ends for follower in self.followers):
            if time.monotonic() > until:
                self.notes.faults.append(f"{path}: no end of {answer['task_id']} within 120 s")
                return False
            time.sleep(0.05)
        end = self.followers[0].ends[answer["task_id"]]
        if end["status"] != "completed" or end["failed_files"]:
            self.notes.faults.append(f"{path}: {end['status']}: {end['message']}")
            return False
        return True

    def _search(self, number: int) -> None:
        query = f"a {('red', 'green', 'blue')[number % 3]} thing, {threading.get_ident()} {number}"
        answer = self.ask("search", "/search/text", {"cache_dir": str(self.cache), "query": query})
        if answer is not None and not answer["matches"]:
            self.notes.faults.append("a search found nothing, though the film is analyzed")
        self.stopping.wait(0.2)

    def _show(self, number: int) -> None:
        wanted = [{"media_path": str(self.film), "time_seconds": number % 7 + 0.5}]
        self.ask("thumbnail", "/thumbnails", {"cache_dir": str(self.cache), "requests": wanted})
        self.stopping.wait(0.5)

    def _live(self, _number: int) -> None:
        self.ask("api", "/health")
        self.ask("redis", "/tasks?limit=1")
        self.stopping.wait(0.2)

    def _analyze(self, number: int) -> None:
        folder = self.folder / f"shoot {number}"
        stills = [_unlike(folder / f"{n}.png", number * _STILLS + n) for n in range(_STILLS)]
        clip = make_clip(folder / f"{number}.mp4", 3)
        body = {"cache_dir": str(self.cache), **_seen(clip, *stills), "on_busy": "queue"}
        self._run("analysis", "/analyze", body)
        self.stopping.wait(1.5)  # else ingestion would never have its turn

    def _export(self, _number: int) -> None:
        if self._run("export", "/export/clips", self._one_clip):
            self.exported.append(f"clip {self.names}")
        self.stopping.wait(0.5)

    def _one_clip(self) -> dict[str, Any]:
        """Of a name that was never sent: a request without an answer may have been accepted."""
        self.names += 1
        name = f"clip {self.names}"
        wanted = {"media_path": str(self.film), "start_time": 1, "end_time": 3, "name": name}
        return {"clips": [wanted], "output_dir": str(self.exports), "background": True}

    def _recluster(self, _number: int) -> None:
        body = {"cache_dir": str(self.cache), "cluster_job_name": NAME}
        self._run("recluster", "/faces/recluster", body)
        self.stopping.wait(0.5)

    def _drop(self, number: int) -> None:
        name = "".join(chr(ord("a") + int(digit)) for digit in str(number))  # no sequence of frames
        self.dropped.append(_unlike(self.incoming / f"{name}.png", 1 << 20 | number))
        self.stopping.wait(1.5)

    def _look_in(self, _number: int) -> None:
        """Note when a file that was dropped is listed, whatever its state."""
        known = self.listed("pending") | self.listed("processed")
        seen = len(self.notes.done["watcher"])
        for path in self.dropped[seen:]:
            if str(path) in known:
                self.notes.note("watcher", path.stat().st_mtime)
        self.stopping.wait(0.3)

    def listed(self, state: str) -> set[str]:
        answer = self.ask("api", f"/watch-folders/{self.watched}/files?state={state}&limit=1000")
        return {file["path"] for file in answer["files"]} if answer else set()


def _seen(*paths: Path) -> dict[str, list[str]]:
    return {"visual_media_paths": [str(path) for path in paths]}


def _unlike(path: Path, number: int) -> Path:
    """A still of a colour that no other has."""
    return make_still(path, colour=(number >> 16 & 255, number >> 8 & 255, number & 255))
