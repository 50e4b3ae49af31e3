"""What an installation takes: memory of each process, cache of an hour, Redis for 100,000 files.

    python -m benchmarks.sizing

A real `rushes up` does real work with each model that is here, one after the other; before each the
worker is killed, so that it begins anew. Numbers are those of docs/operate/sizing.md.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import describe
from shared.domain import ProgressType, TaskKind
from shared.ledger.ledger import JobQueues, Ledger
from shared.ledger.records import ItemFile, ItemJob, NewItem, NewTask
from shared.process.memory import session_bytes
from shared.redis.clients import connect
from tests.support.media.photos import SAMPLES
from tests.support.private_redis import PrivateRedis
from tests.support.rushes_up import Up, end, start
from tests.support.socketio_client import FINAL
from tests.support.stack import KEY, Client
from tests.support.waiting import wait_for

_MB = 1_000_000
_FILES = 10_000  # of which ten times as many are told
_LONG_PATH = "/srv/footage/2026/season 1/day 07/camera A/A007C{:05}_261127_R1AB.mov"
_CHILDREN = ("api", "query worker", "recluster worker", "export worker", "watcher", "redis")


class Server:
    """One `rushes up`; `worker` is the analysis worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.up: Up = start(folder, RUSHES_LICENSE_KEYS=KEY, RUSHES_QUERY_WORKERS="1")
        self.up.wait_for_line("ready on http")
        self.client = Client(self.up.port)

    def print_memory(self, *names: str, after: str) -> None:
        for name in names:
            pid = self.up.pid_of(name)
            print(f"{name:<18} {after:<42} {session_bytes(pid) / _MB:6.0f} {peak(pid) / _MB:6.0f}")

    def analyze(self, after: str, **parts: object) -> None:
        """With a worker that has done nothing before; what it takes then and at its most."""
        known = self.up.text().count("analysis worker 1 runs as process")
        os.kill(self.up.pid_of("analysis worker 1"), signal.SIGKILL)
        self.up.wait_for_line("analysis worker 1 runs as process", times=known + 1)
        body = {"cache_dir": str(self.folder / "cache"), **parts}
        task = self.client.ok("/analyze", **body)["task_id"]
        record = self.wait_final(task)
        assert not record["failed_files"], record
        self.print_memory("analysis worker 1", after=after)

    def wait_final(self, task_id: str) -> dict[str, Any]:
        while (record := self.client.task(task_id))["status"] not in FINAL:
            time.sleep(0.5)
        assert record["status"] == "completed", record
        return record


def peak(session: int) -> int:
    """The most that the processes of a session had, each for itself."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(process.name)) == session:
                lines = (process / "status").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            continue
    return total * 1024


def measure_processes(folder: Path) -> None:
    print(f"{'process':<18} {'after':<42} {'MB':>6} {'peak':>6}")
    server = Server(folder)
    try:
        server.print_memory(*_CHILDREN, "analysis worker 1", after="its start")
        long = str(SAMPLES / "clips" / "bbb.mp4")
        films = [str(SAMPLES / "clips" / name) for name in ("bikes.mp4", "carphone_pristine.mp4")]
        people = [str(path) for path in sorted((SAMPLES / "people").glob("*.jpg"))]
        spoken = [str(path) for path in sorted((SAMPLES / "librivox").glob("*.wav"))]
        server.analyze("pictures, conse-lite0", visual_media_paths=[long, *films])
        server.analyze(
            "faces, dlib-resnet", face_media_paths=[*films, *people], cluster_job_name="Sizing"
        )
        jobs = [{"path": path} for path in spoken]
        server.analyze("speech, whisper-base", transcription_jobs=jobs)
        everything = {"visual_media_paths": films, "face_media_paths": films, "force": True}
        server.analyze(
            "all three", **everything, transcription_jobs=jobs, cluster_job_name="Sizing"
        )
        _use(server, films)
        _print_cache(server, [long, *films], spoken)
    finally:
        server.client.http.close()
        end(server.up)


def _use(server: Server, films: list[str]) -> None:
    """Searches, thumbnails, metadata, a recluster and an export."""
    client, cache = server.client, str(server.folder / "cache")
    for number in range(50):
        client.ok("/search/text", cache_dir=cache, query=f"a street, {number}")
        wanted = [{"media_path": film, "time_seconds": number % 9 + 0.5} for film in films]
        client.ok("/thumbnails", cache_dir=cache, requests=wanted)
    client.ok("/media/metadata", media_paths=films)
    out = server.folder / "out"
    out.mkdir()
    clips = [{"media_path": film, "start_time": 1, "end_time": 5} for film in films]
    client.ok("/export/clips", clips=clips, output_dir=str(out), mode="encode")
    body = {"cache_dir": cache, "cluster_job_name": "Sizing"}
    server.wait_final(client.ok("/faces/recluster", **body)["task_id"])
    server.print_memory(*_CHILDREN, after="searches, thumbnails, export, recluster")


def _print_cache(server: Server, films: list[str], spoken: list[str]) -> None:
    """Bytes of each kind of artefact, and for an hour of what it was made of."""
    paths = {"media_paths": [*films, *spoken]}
    seconds: Counter[str] = Counter()
    for item in server.client.ok("/media/metadata", **paths)["media"]:
        seconds["seen" if item["media_path"] in films else "heard"] += item["duration_seconds"]
    sizes: Counter[str] = Counter()
    for file in (server.folder / "cache" / "media").rglob("*"):
        if file.is_file():
            kind = "paths" if file.parent.name == "paths" else file.name.partition(".")[0]
            sizes[kind] += file.stat().st_size
    print(f"\ncache of {seconds['seen']:.0f} s of pictures and {seconds['heard']:.0f} s of speech")
    basis = {"frames": "seen", "visual": "seen", "transcript": "heard"}
    for kind, size in sizes.most_common():
        hour = (
            f"{size / seconds[basis[kind]] * 3600 / _MB:8.1f} MB an hour" if kind in basis else ""
        )
        print(f"{kind:<12} {size / _MB:8.2f} MB {hour}")


def measure_redis() -> None:
    """One Task of videos, waiting and ended; a watch folder's files are in benchmarks.watch."""
    with tempfile.TemporaryDirectory(prefix="rr-") as short:
        server = PrivateRedis(Path(short))
        server.start()
        with connect(server.url) as client, connect(server.url, decode=False) as raw:
            ledger, jobs = Ledger(client, "sizing"), JobQueues(raw, "sizing")

            def used() -> int:
                return int(client.info("memory")["used_memory"])

            before = used()
            items = [NewItem(b"x" * 600, (ItemFile(_LONG_PATH.format(n)),)) for n in range(_FILES)]
            task = NewTask(kind=TaskKind.ANALYZE, items=items)
            ledger.submit(task)
            jobs.enqueue(ItemJob(task.task_id, n, "analysis", True) for n in range(_FILES))
            waiting = used() - before
            for n in range(_FILES):
                lease = ledger.claim(task.task_id, n, "analysis-host-1-abcdef", "nonce")
                assert lease
                path = _LONG_PATH.format(n)
                ledger.file_ended(lease, type=ProgressType.VIDEO, index=0, media_path=path)
                ledger.settle(lease, "done")
            ledger.sweep()  # jobs that mean nothing any more go
            wait_for(lambda: jobs.waiting("analysis") == 0, 10, "the queue to be empty")
            ended = used() - before
        server.stop()
    for state, size in (("waiting", waiting), ("ended, for a day", ended)):
        print(f"100,000 videos of one request, {state}: {size / _FILES * 100_000 / _MB:.0f} MB")


def main() -> int:
    print(describe())
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sizing-") as folder:
        measure_processes(Path(folder))
    print()
    measure_redis()
    print(f"\n{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
