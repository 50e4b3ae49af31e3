"""Product files of which a line in a function ran for one request, in all processes together.

    python -m benchmarks.request_files [--list]        default: numbers; --list: the files, too

Measures `POST /search/text` until its answer, and `POST /analyze` of a video until its task is
final. Each is sent four times with other words or another video. The first does not count, so
start-up code is left out; of the others a file counts if it ran in each, which leaves out most
periodic threads. A module named `sitecustomize`, which this script writes, installs a profile
function in every process.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks import describe
from shared.ledger.ledger import JobQueues, ledger_of
from shared.redis.clients import connect
from shared.settings import Settings
from tests.support.media.media import make_clip
from tests.support.private_redis import private_redis
from tests.support.stack import PROJECT, running_stack
from tests.support.waiting import wait_for

T = TypeVar("T")
PRODUCT = ("api", "workers", "shared", "cli")
WORDS = ("a red wall", "two dogs on a beach", "a car at night", "snow on a mountain")
_PAUSE_S = 1.0  # so that nothing of one request runs within the next one
_RECORDER = """
import mmap, os, sys, threading

_PREFIXES = {prefixes!r}
_FOLDER = {folder!r}
with open(os.path.join(_FOLDER, "on"), "r+b") as _file:
    _on = mmap.mmap(_file.fileno(), 1)
_IS_FUNCTION = 1  # CO_OPTIMIZED: neither a module nor the body of a class
_seen, _pid = set(), 0


def _note(frame, event, argument):
    global _pid
    if _on[0] == 0:
        return
    code = frame.f_code
    name = code.co_filename
    if not code.co_flags & _IS_FUNCTION or not name.startswith(_PREFIXES):
        return
    if _pid != os.getpid():
        _seen.clear()
        _pid = os.getpid()
    if (_on[0], name) in _seen:
        return
    _seen.add((_on[0], name))
    kind = "/".join(word for word in sys.argv[-1:] if word.isalpha()) or "api"
    with open(os.path.join(_FOLDER, f"{{_on[0]}}-{{kind}}-{{_pid}}"), "a") as file:
        file.write(name + "\\n")


threading.setprofile(_note)
sys.setprofile(_note)
"""


class Recorder:
    """Switches the profile functions of all processes on and off, and reads what they noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "on").write_bytes(b"\0")
        with (folder / "on").open("r+b") as file:
            self._on = mmap.mmap(file.fileno(), 1)
        self._number = 0
        prefixes = tuple(f"{PROJECT}/{name}/" for name in PRODUCT)
        code = _RECORDER.format(prefixes=prefixes, folder=str(folder))
        (folder / "sitecustomize.py").write_text(code)

    def files_of(self, request: Callable[[T], object], each: Sequence[T]) -> list[tuple[str, str]]:
        """Return (file, kind of process) of what ran for each request but the first."""
        request(each[0])
        runs: list[set[tuple[str, str]]] = []
        for argument in each[1:]:
            time.sleep(_PAUSE_S)
            self._number += 1
            self._on[0] = self._number
            request(argument)
            self._on[0] = 0
            runs.append(set())
            for path in self.folder.glob(f"{self._number}-*"):
                kind = path.name.split("-")[1]
                lines = path.read_text().splitlines()
                runs[-1] |= {(os.path.relpath(line, PROJECT), kind) for line in lines}
        in_each = set.intersection(*({file for file, _ in run} for run in runs))
        return sorted({pair for run in runs for pair in run if pair[0] in in_each})


def measure(folder: Path, redis_url: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each request with its files and the kinds of processes in which they ran."""
    recorder = Recorder(folder / "recorder")
    clips = [make_clip(folder / f"{name}.mp4", seconds=6) for name in "abcd"]
    cache_dir = folder / "cache"
    path = os.pathsep.join((str(recorder.folder), os.environ.get("PYTHONPATH", str(PROJECT))))
    settings = Settings.from_env({"RUSHES_REDIS_URL": redis_url})
    with (
        running_stack(folder / "stack", redis_url, PYTHONPATH=path) as stack,
        connect(redis_url) as ours,
        connect(redis_url, decode=False) as raw,
    ):
        client = stack.client()
        ledger = ledger_of(settings, ours, JobQueues(raw, settings.instance))

        def analyze(clip: Path) -> None:  # asks Redis for the end: requests would count
            task = client.analyze(cache_dir, clip)
            wait_for(lambda: ledger.record(task).status.is_final, 60, "the artefact", every_s=0.05)

        def search(words: str) -> None:
            client.ok("/search/text", cache_dir=str(cache_dir), query=words)

        yield "POST /analyze", recorder.files_of(analyze, clips)
        yield "POST /search/text", recorder.files_of(search, WORDS)


def main(*, with_list: bool) -> None:
    print(describe())
    with tempfile.TemporaryDirectory(prefix="rf-") as name, private_redis() as server:
        for request, pairs in measure(Path(name), server.url):
            by_file: dict[str, list[str]] = defaultdict(list)
            for file, kind in pairs:
                by_file[file].append(kind)
            counts = Counter(kind for _, kind in pairs)
            kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
            print(f"{request}: {len(by_file)} files ({kinds})")
            for file, where in by_file.items() if with_list else ():
                print(f"  {file}: {' '.join(where)}")


if __name__ == "__main__":
    main(with_list="--list" in sys.argv[1:])
