"""API, Redis and query worker on one machine, analysis workers on others, media on a share."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.processes import redis_binary
from shared.errors import RedisAway
from shared.redis.clients import connect
from tests.support.media.media import Encoding, make_clip
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Process, Stack, running_stack
from tests.support.system.namespaces import Machine, network
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

PASSWORD = "for-tests-only"
SHORT = Encoding(fps=2, gop=4)
SECONDS = 20  # and grid frames of each film
# By then the file of a machine that is gone is taken up (docs/explain/architecture.md).
TAKEN_UP_S = 11


@dataclass
class Site:
    """Workers on the machines a and b; worker a can be held in the middle of a file."""

    stack: Stack
    a: Machine
    b: Machine
    without_media: Machine
    share: Path
    folder: Path  # what tests tell worker a, on its own disk

    @property
    def client(self) -> Client:
        return self.stack.client()

    def films(self, count: int) -> list[Path]:
        made = len(list(self.media.iterdir()))
        names = [self.media / f"{made + n}.mp4" for n in range(count)]
        return [make_clip(name, SECONDS, encoding=SHORT) for name in names]

    @property
    def media(self) -> Path:
        return self.share / "media"

    @property
    def cache(self) -> Path:
        return self.share / "caches" / "one"

    def start_worker(self, machine: Machine, *command: str, **more: str) -> Process:
        """An analysis worker there, with a STATE_DIR of its own."""
        name = f"analysis-{machine.name}"
        entered = machine.entered(unmounted=self.media if machine is self.without_media else None)
        self.stack.machines[name] = entered
        state_dir = str(self.folder / f"state-{machine.name}")
        return self.stack.start(name, *command, RUSHES_STATE_DIR=state_dir, **more)

    def wait_workers(self, count: int) -> None:
        def are_ready() -> bool:
            answer = self.client.get("/ready").json()
            return answer["workers"]["analysis"] == count and not answer["loading"]

        wait_for(are_ready, 30, f"{count} analysis workers", every_s=0.1)

    def hold(self) -> Path:
        """Let worker a stop at second 2 of its next file; the marker says that it has."""
        (self.folder / "release").unlink()
        marker = self.folder / "marker"
        marker.unlink(missing_ok=True)
        return marker

    def go_on(self) -> None:
        (self.folder / "release").touch()

    def workers_of(self, task_id: str) -> Counter[str]:
        """How many files each machine has done."""
        files = self.client.task(task_id, files=True)["files"]
        assert {file["state"] for file in files} == {"done"}
        return Counter(file["worker"].split("-")[1] for file in files)


@contextlib.contextmanager
def redis_of(machine: Machine, folder: Path) -> Iterator[str]:
    """A Redis for several machines, as the docs say: on the machine's address, with a password."""
    server = [str(redis_binary.find()), "--bind", machine.address, "--requirepass", PASSWORD]
    server += ["--appendonly", "yes", "--save", "", "--dir", str(folder)]
    command = [*machine.entered(), *server, "--logfile", str(folder / "redis.log")]
    url = f"redis://:{PASSWORD}@{machine.address}:6379/0"

    def answers() -> bool:
        with connect(url) as client, contextlib.suppress(RedisAway):
            return bool(client.ping())
        return False

    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            wait_for(answers, 10, "the Redis of the site")
            yield url
        finally:
            process.kill()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Seen from a client's machine: the test itself runs there."""
    folder = tmp_path_factory.mktemp("site")
    share = folder / "share"
    for name in ("media", "caches"):
        (share / name).mkdir(parents=True)
    with contextlib.ExitStack() as keep:
        names = ("server", "a", "b", "c", "desk")
        server, a, b, c, desk = keep.enter_context(network(*names))
        keep.enter_context(desk.here())
        settings = {
            "RUSHES_HOST": server.address,
            "RUSHES_MEDIA_ROOTS": str(share / "media"),
            "RUSHES_CACHE_ROOTS": str(share / "caches"),
        }
        url = keep.enter_context(redis_of(server, folder))
        stack = keep.enter_context(
            running_stack(folder, url, apis=0, query=0, analysis=0, **settings)
        )
        site = Site(stack, a, b, c, share, folder)
        stack.machines |= dict.fromkeys(("api-0", "query-0"), server.entered())
        site.go_on()
        told = {"do": "hold", "at": 2, "marker": f"{folder}/marker", "release": f"{folder}/release"}
        stack.start_worker("query")
        site.start_worker(
            a, "-m", "tests.support.programs.analysis_with_a_stage", TEST_STAGE=json.dumps(told)
        )
        site.start_worker(b, "-m", "workers", "analysis")
        stack.start_api()
        stack.wait_ready(analysis=2, query=1)
        yield site


def test_two_machines_share_a_task_and_leave_out_one_that_has_not_mounted_the_media(
    site: Site,
) -> None:
    worker = site.start_worker(site.without_media, "-m", "workers", "analysis")
    try:
        films = site.films(6)
        site.wait_workers(3)
        record = site.client.analyzed(site.cache, *films)
        done = site.workers_of(record["task_id"])
        assert set(done) == {"a", "b"}, done
        assert "is empty on this machine; is its disk mounted?" in worker.text()
    finally:
        worker.end()
    found = site.client.ok("/search/text", query="a red thing", cache_dir=str(site.cache))
    assert {match["video_path"] for match in found["matches"]} == set(names_of(films))


def test_a_machine_that_is_cut_off_loses_its_file_to_the_other_and_works_again_when_it_is_back(
    site: Site,
) -> None:
    films = site.films(4)
    worker = site.stack.processes["analysis-a"]
    marker = site.hold()
    with Watcher(site.client.url) as watcher:
        task_id = site.client.analyze(site.cache, *films)
        watcher.join(task_id)
        wait_for(marker.exists, 20, "machine a to be in the middle of a file")
        site.a.cut_off()
        stopwatch = Stopwatch(site.stack)
        more_films = site.films(6)
        record = site.client.wait_final(task_id)
        took_s = stopwatch.seconds()
        events = watcher.until_final(task_id, 10)
        assert record["status"] == "completed", record
        assert record["failed_files"] == []
        assert took_s < TAKEN_UP_S + 9, "the other takes it up, then does it"
        assert site.workers_of(task_id) == {"b": len(films)}
        first = published(site)
        site.go_on()  # it does not know yet that the file is no more its own
        site.a.connect()
        wait_for(lambda: "taken up by another worker" in worker.text(), 20, worker.text)
        site.wait_workers(2)
        assert site.workers_of(task_id) == {"b": len(films)}, "what it says now is not heard"
        assert published(site) == first, "what it wrote went with its lease"
        loaded = site.client.ok(
            "/analysis-data/load-for-media", cache_dir=str(site.cache), media_paths=names_of(films)
        )
        assert (loaded["frames"], loaded["skipped"]) == (SECONDS * len(films), [])
        later = site.client.analyzed(site.cache, *more_films)["task_id"]
        assert set(site.workers_of(later)) == {"a", "b"}
        watcher.join(later)
        watcher.until_final(later, 10)
        ends = [event for event in watcher.of(task_id) if event["status"] == "completed"]
    assert len(ends) == 1, events
    assert worker.popen.poll() is None, "it is the same process that works again"


def names_of(films: list[Path]) -> list[str]:
    return [str(film) for film in films]


def published(site: Site) -> dict[str, Any]:
    """What the manifests of all films say."""
    return {
        str(path): json.loads(path.read_bytes())
        for path in site.cache.glob("media/*/*/manifest.*.json")
    }
