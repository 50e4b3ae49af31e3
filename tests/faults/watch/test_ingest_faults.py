"""Watchers and workers that are killed at random moments while files arrive."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from shared.watch.options import FileGroup
from tests.support.media.media import make_clip
from tests.support.running.long_form import by_form
from tests.support.stack import Process
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import IngestStack, still

FILES, KILLS = by_form(short=(160, 9), long=(300, 14))


@pytest.fixture
def ingest(tmp_path: Path, redis_url: str) -> Iterator[IngestStack]:
    ingest = IngestStack(tmp_path, redis_url)
    yield ingest
    ingest.close()


class Manifests:
    """Modification times of all manifests, watched while the test runs: none may ever change."""

    def __init__(self, ingest: IngestStack) -> None:
        self._ingest = ingest
        self._times: dict[Path, int] = {}
        self.changed: list[Path] = []

    def look(self) -> int:
        for path in self._ingest.cache.glob("media/*/*/manifest.*.json"):
            mtime = path.stat().st_mtime_ns
            if self._times.setdefault(path, mtime) != mtime:
                self.changed.append(path)
        return len(self._times)


def arrive(ingest: IngestStack) -> list[str]:
    """A thread's work: stills and clips, one after the other, a tenth of them copies."""
    names = []
    pause = threading.Event()
    for n in range(FILES):
        name = f"day{n % 7}/{n:03d}.png" if n % 30 else f"day{n % 7}/{n:03d}.mp4"
        content = n - n % 10 if n % 10 == 9 and (n - 9) % 30 else n
        path = ingest.media / name
        if name.endswith(".png"):
            still(path, content)
        else:
            make_clip(path, shots=[((n % 256, 255 - n % 256, 60), 1)])
        names.append(name)
        pause.wait(0.02)
    return names


@pytest.mark.timeout(300)
def test_killed_watchers_and_workers_publish_every_content_exactly_once(
    ingest: IngestStack,
) -> None:
    folder = ingest.watch()
    ingest.start_watching()
    names: list[str] = []
    writer = threading.Thread(target=lambda: names.extend(arrive(ingest)))
    writer.start()
    manifests = Manifests(ingest)
    chance = random.Random(20261125)
    running: dict[str, Process] = {}

    def keep(kind: str, number: int) -> None:
        start = ingest.watcher if kind == "watcher" else ingest.worker_with_fake_embedder
        running[f"{kind}-{number % 2}"] = start(number)

    for number in range(2):
        keep("watcher", number)
        keep("analysis", number)
    pause = threading.Event()
    for number in range(2, 2 + KILLS):
        seen = manifests.look()
        wait_for(
            lambda seen=seen: manifests.look() > seen or not writer.is_alive(),  # type: ignore[misc]
            60,
            lambda: f"more to be published; {ingest.account(folder)}",
            every_s=0.2,  # each look takes the times of all that there is
        )
        pause.wait(chance.random() * 1.5)
        kind = chance.choice(["watcher", "analysis"])
        victim = running[f"{kind}-{number % 2}"]
        victim.kill()
        victim.popen.wait(5)
        keep(kind, number)
    writer.join()
    ingest.wait_processed(folder, *names, timeout_s=150)
    manifests.look()

    assert manifests.changed == [], "a published artefact was never published again"
    files = ingest.processed(folder)
    hashes = {file.hash_str for file in files.values()}
    cache = CacheDir.open(ingest.cache, create=False)
    for hash_str in hashes:
        for stage, model in ((Stage.FRAMES, ""), (Stage.VISUAL, "conse-lite0")):
            manifest = cache.manifest(hash_str, stage, model)
            assert manifest
            assert cache.has_data(hash_str, manifest)
    assert cache.catalogue.hashes() == hashes
    completed = Counter(
        files[name].hash_str for name in names if ingest.attempts(ingest.media / name)
    )
    assert set(completed) == hashes, "each content has its entry in the ledger"
    by_hash = Counter(file.hash_str for file in files.values() if file.task_id)
    assert max(by_hash.values()) == 1, "one entry each: copies cost none"
    assert ingest.group(folder, FileGroup.FAILED) == {}
