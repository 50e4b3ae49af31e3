"""Processes of an earlier commit beside those of this tree, and what a client does with both."""

from __future__ import annotations

import compileall
import io
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.media.faces_film import film_of
from tests.support.media.media import picture_video
from tests.support.media.photos import known_photos
from tests.support.media.speech import say
from tests.support.running.once import made_once
from tests.support.running.processes import PROJECT
from tests.support.skip_or_fail import skip_or_fail
from tests.support.socketio_client import Watcher
from tests.support.stack import Client

# The last commit before identifiers, messages and docs were rewritten. Later processes must work
# beside those of this commit; move it when they no longer have to.
BASE = "098756b39f7cb31fe7af472dcf60b4348b1d2382"
_PRODUCT = ("api", "cli", "shared", "workers")
KINDS = ("query", "analysis", "recluster", "export", "watcher")


def earlier_release() -> dict[str, str]:
    """Return the environment in which Python runs the product of BASE, with today's packages.

    Where the history of the project is missing, as in an unpacked archive or a shallow clone, the
    test is skipped, and fails in CI.
    """
    tree = made_once(f"release {BASE}", _unpack)
    return {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}  # the latter hides this tree


def _unpack(tree: Path) -> None:
    command = ["git", "-C", str(PROJECT), "archive", "--format=tar", BASE, *_PRODUCT]
    try:
        archive = subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError:
        skip_or_fail("The earlier release cannot be read: the program git is missing.")
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip()
        skip_or_fail(f"The earlier release is not in the history of this folder: {reason}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(tree, filter="data")
    compileall.compile_dir(tree, quiet=1)  # now, because shared material may not change later


@dataclass(frozen=True)
class Day:
    """A day's footage: a film of people, one of a thing, and a recording."""

    people: tuple[tuple[str, int], ...]  # as film_of has them
    thing: str  # one of known_photos
    sentence: str

    def write(self, folder: Path) -> dict[str, Path]:
        folder.mkdir(parents=True, exist_ok=True)
        say(self.sentence, folder / "said.wav")
        return {
            "people": film_of(folder / "people.mp4", self.people),
            "thing": picture_video(folder / "thing.mov", [(known_photos()[self.thing], 3)]),
            "said": folder / "said.wav",
        }


@dataclass(frozen=True)
class Library:
    """A cache folder through one API process."""

    client: Client
    cache_dir: Path

    def ok(self, path: str, **body: Any) -> Any:
        return self.client.ok(path, cache_dir=str(self.cache_dir), **body)

    def of_people(self, path: str, **body: Any) -> Any:
        return self.ok(path, cluster_job_name="Season 1", **body)

    def analyze(self, *days: Mapping[str, Path], followed_at: Client) -> list[dict[str, Any]]:
        """Analyze all of the days to the end; the events that a client of an API has received."""
        people = [day["people"] for day in days]
        task_id = self.of_people(
            "/analyze",
            visual_media_paths=[str(path) for path in (*people, *(day["thing"] for day in days))],
            face_media_paths=[str(path) for path in people],
            transcription_jobs=[{"path": str(d["said"]), "language": "english"} for d in days],
        )["task_id"]
        with Watcher(followed_at.url) as watcher:
            watcher.join(task_id)
            return watcher.until_final(task_id, timeout_s=100)

    def clusters(self) -> dict[str, tuple[str | None, int]]:
        """The name and the number of faces of each person."""
        query = {"cache_dir": str(self.cache_dir), "cluster_job_name": "Season 1"}
        (job,) = self.client.http.get("/faces/clusters", params=query).json()["cluster_jobs"]
        found = {c["cluster_id"]: (c["name"], c["face_count"]) for c in job["clusters"]}
        return {cluster_id: told for cluster_id, told in found.items() if cluster_id != "-1"}

    def recluster(self) -> None:
        task_id = self.of_people("/faces/recluster", eps=0.47)["task_id"]
        assert self.client.wait_final(task_id)["status"] == "completed"

    def name(self, cluster_id: str, name: str) -> None:
        body = {"cache_dir": str(self.cache_dir), "cluster_job_name": "Season 1"}
        body |= {"assignments": [{"cluster_id": cluster_id, "name": name}]}
        answer = self.client.http.put("/faces/clusters/names", json=body)
        assert answer.status_code == 200, answer.text

    def search(self, kind: str, **body: Any) -> list[dict[str, Any]]:
        return list(self.ok(f"/search/{kind}", **body)["matches"])

    def frames_of(self, person: str) -> list[dict[str, Any]]:
        who = [{"cluster_job_name": "Season 1", "person_name": person}]
        return self.search("text", query="a person", people_filter=who)
