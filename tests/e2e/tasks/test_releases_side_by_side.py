"""Processes of every kind of two releases at once, on one Redis, one STATE_DIR and one cache."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.console.browser import Browser
from tests.support.media.media import Encoding, make_clip, picture_video
from tests.support.media.photos import known_photos
from tests.support.private_redis import private_redis
from tests.support.releases import KINDS, Day, Library, earlier_release
from tests.support.running import processes
from tests.support.socketio_client import Watcher
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for
from tests.support.watch.ingest import Ingest

pytestmark = pytest.mark.releases
OLD, NEW = 0, 1  # the number of a process is that of its release
both_ways = pytest.mark.parametrize(("one", "other"), [(OLD, NEW), (NEW, OLD)], ids=["old", "new"])
LONG = Encoding(fps=2, gop=4)  # seconds that are quick to make and take time to analyze
DAYS = [
    Day((("red", 3 + n), ("hair", 3 + n)), thing, f"Nobody had seen the {thing} before.")
    for n, thing in enumerate(("cat", "coffee", "flower", "rocket"))
]


@dataclass(frozen=True)
class Site:
    """The stack, and the environment of each release."""

    stack: Stack
    releases: tuple[dict[str, str], dict[str, str]]

    def client(self, release: int, **more: Any) -> Client:
        return self.stack.client(release, **more)

    def start(self, kind: str, release: int) -> None:
        self.stack.start_worker(kind, release, **self.releases[release])

    def kill(self, kind: str, release: int) -> None:
        self.stack.processes[f"{kind}-{release}"].kill()

    def processes(self, asked: int = NEW) -> dict[str, dict[str, Any]]:
        """What the API of a release tells of each live process, by kind and release."""
        names = {process.popen.pid: name for name, process in self.stack.processes.items()}
        machines = self.client(asked).get("/machines").json()["machines"]
        found = [process for machine in machines for process in machine["processes"]]
        return {names[p["pid"]]: p for p in found if p["pid"] in names}

    def wait_live(self) -> None:
        def are_live() -> bool:
            return len(self.processes()) == len(KINDS) * len(self.releases)

        wait_for(are_live, 60, lambda: f"all processes: {[*self.processes()]}")
        self.stack.wait_ready(analysis=2, query=2)

    def start_analysis(self, accepting: int, folder: Path, seconds: int) -> str:
        """Start one of two films; return its id once the workers of both releases are at it."""
        films = [make_clip(folder / f"{n}.mp4", seconds + n, encoding=LONG) for n in range(2)]
        task_id = self.client(accepting).analyze(folder / "cache", *films)

        def at_it() -> set[str]:
            return {name for name, p in self.processes().items() if p["task_id"] == task_id}

        wait_for(lambda: len(at_it()) == 2, 30, lambda: f"two workers at it: {at_it()}")
        return task_id

    def workers_of(self, task_id: str, asked: int) -> set[str]:
        """The processes that have done the files of a task; all files must be done."""
        names = {process["name"]: name for name, process in self.processes().items()}
        files = self.client(asked).task(task_id, files=True)["files"]
        assert {file["state"] for file in files} == {"done"}
        return {names[file["worker"]] for file in files}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("releases")
    with (
        private_redis(append_only=True) as redis,
        running_stack(folder, redis.url, apis=0, query=0, analysis=0) as stack,
    ):
        site = Site(stack, (earlier_release(), {}))
        for release, environment in enumerate(site.releases):
            for kind in KINDS:
                site.start(kind, release)
            stack.start_api(**environment)
        site.wait_live()
        yield site


@pytest.fixture(scope="module")
def libraries(site: Site, tmp_path_factory: pytest.TempPathFactory) -> list[Library]:
    """A cache folder through the API of each release; both workers have filled it."""
    folder = tmp_path_factory.mktemp("days")
    libraries = [Library(site.client(release), folder / "cache") for release in (OLD, NEW)]
    days = [day.write(folder / day.thing) for day in DAYS]
    last = libraries[OLD].analyze(*days, followed_at=site.client(NEW))[-1]
    assert (last["status"], last["failed_files"]) == ("completed", [])
    assert site.workers_of(last["task_id"], NEW) == {"analysis-0", "analysis-1"}
    return libraries


@both_ways
def test_each_api_and_doctor_sees_the_processes_of_both(site: Site, one: int, other: int) -> None:
    assert {process["kind"] for process in site.processes(one).values()} == set(KINDS)
    assert len(site.processes(one)) == 2 * len(KINDS)
    ready = site.client(one).get("/ready").json()
    assert (ready["ready"], ready["workers"]) == (True, dict.fromkeys(KINDS, 2))
    more = {**site.releases[one], "RUSHES_PORT": str(site.stack.ports[other])}
    doctor = processes.run(["-m", "cli.commands.doctor"], env=site.stack.environment(**more))
    findings = json.loads(doctor.stdout)["findings"]
    assert [finding for finding in findings if finding["level"] == "problem"] == []
    assert {f["level"] for f in findings if f["subject"] == "server"} == {"ok"}


@both_ways
def test_a_key_and_a_session_made_at_one_count_at_the_other(
    site: Site, one: int, other: int
) -> None:
    made = site.client(one).post("/keys", label=f"Ann {one}", scopes=["search"]).json()
    guest = site.client(other, key=made["license_key"])
    assert guest.get("/keys").status_code == 403, "it may search alone"
    with Browser(site.client(one).url) as browser, Browser(site.client(other).url) as elsewhere:
        link = guest.post("/console/links").json()["url"].partition("=")[2]
        assert browser.sign_in(link=link).json()["label"] == f"Ann {one}"
        cookie = f"rushes-session-{site.stack.ports[other]}={browser.session}"
        answer = elsewhere.ask("GET", "/console/session", Cookie=cookie)
        assert answer.json()["label"] == f"Ann {one}"
        assert site.client(other).http.delete(f"/keys/{made['key']['id']}").status_code == 200
        assert browser.ask("GET", "/console/session").status_code == 401


def test_what_both_have_written_is_read_alike_by_each(libraries: list[Library]) -> None:
    people = [library.clusters() for library in libraries]
    assert people[OLD] == people[NEW]
    assert sorted(people[OLD].values()) == [(None, 18), (None, 18)]
    said = [str(libraries[OLD].cache_dir.parent / day.thing / "said.wav") for day in DAYS]
    for path, body in (
        ("/transcriptions", {"media_paths": said}),
        ("/cache-paths", {"media_paths": said}),
        ("/analysis-data/load", {}),
        ("/search/text", {"query": "a person", "details": True, "max_results": 99}),
        ("/search/transcript", {"query": "nobody saw it", "mode": "semantic"}),
    ):
        old, new = (library.ok(path, **body) for library in libraries)
        assert old == new, path
        assert any(old.values()), path


@both_ways
def test_an_edit_of_one_is_seen_and_undone_by_the_other(
    libraries: list[Library], one: int, other: int
) -> None:
    at_one, at_other = libraries[one], libraries[other]
    before = at_one.clusters()
    first, second = before
    at_one.name(first, "Ada")
    assert at_other.clusters()[first] == ("Ada", 18)
    merge = {"cluster_ids": [second], "target_cluster_id": first}
    at_other.of_people("/faces/clusters/modify", merges=[merge])
    at_one.recluster()
    assert at_one.clusters() == at_other.clusters() == {first: ("Ada", 36)}
    assert at_one.frames_of("Ada") == at_other.frames_of("Ada") != []
    at_one.of_people("/faces/edits/undo")
    at_other.of_people("/faces/edits/undo")
    assert at_one.clusters() == at_other.clusters() == before


@both_ways
def test_what_is_left_out_at_one_is_listed_and_taken_again_at_the_other(
    libraries: list[Library], one: int, other: int
) -> None:
    body = {"media_paths": [str(libraries[one].cache_dir.parent / "cat" / "thing.mov")]}
    libraries[one].ok("/analysis-data/left-out", **body, left_out=True)
    place = {"cache_dir": str(libraries[one].cache_dir)}
    listed = libraries[other].client.http.get("/analysis-data/left-out", params=place).json()
    assert [file["media_path"] for file in listed["files"]] == body["media_paths"]
    assert libraries[other].ok("/analysis-data/left-out", **body, left_out=False)["changed"] == 1


@both_ways
def test_a_task_that_one_has_accepted_is_cancelled_at_the_other(
    site: Site, one: int, other: int, tmp_path: Path
) -> None:
    task_id = site.start_analysis(one, tmp_path, seconds=900)
    with Watcher(site.client(one).url) as watcher:
        watcher.join(task_id)
        assert site.client(other).ok("/analyze/cancel", task_id=task_id)["cancelled"] is True
        assert watcher.until_final(task_id, 20)[-1]["status"] == "cancelled"
    assert [p for p in (tmp_path / "cache" / "media").rglob("*") if p.is_file()] == []


@both_ways
def test_the_file_of_a_worker_that_is_killed_is_taken_over_by_the_other(
    site: Site, one: int, other: int, tmp_path: Path
) -> None:
    task_id = site.start_analysis(one, tmp_path, seconds=200)
    site.kill("analysis", one)
    record = site.client(one).wait_final(task_id)
    assert (record["status"], record["failed_files"]) == ("completed", [])
    assert site.workers_of(task_id, other) == {f"analysis-{other}"}
    site.start("analysis", one)
    site.wait_live()


@both_ways
def test_a_watcher_that_is_killed_is_followed_by_the_other(
    site: Site, one: int, other: int, tmp_path: Path
) -> None:
    site.stack.processes[f"watcher-{other}"].end()
    ingest = Ingest(site.client(one))
    ingest.start()
    folder = ingest.add(tmp_path, f"{tmp_path} cache")
    cat = picture_video(tmp_path / "cat.mp4", [(known_photos()["cat"], 2)])
    folder.wait_processed(1)
    site.start("watcher", other)
    site.wait_live()
    assert site.processes(one)[f"watcher-{other}"]["message"], "it stands by"
    site.kill("watcher", one)
    rocket = picture_video(tmp_path / "rocket.mp4", [(known_photos()["rocket"], 2)])
    of_other = folder.of(Ingest(site.client(other)))
    of_other.wait_processed(2)
    assert set(folder.files("processed")) == {str(cat), str(rocket)}
    assert folder.found("a space shuttle") == of_other.found("a space shuttle") == str(rocket)
    folder.delete()
    ingest.stop()
    ingest.wait_state("stopped")
    site.start("watcher", one)
    site.wait_live()
