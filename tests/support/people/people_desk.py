"""A small Collection behind the API, and what a client says about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from tests.support.media.by_path import hash_media
from tests.support.people.people_data import Seen, make_collection
from tests.support.search.search_data import publish, random_units
from tests.support.stack import Client

ADA, BO, CY, NOBODY = 1001, 2002, 3003, -1
NAME = "Season 1"
# a.mp4: Ada and Cy together, then somebody unknown. b.mp4: Ada, from second 2 on with Bo.
FACES = {
    "a.mp4": (Seen(10, 1, ADA), Seen(10, 6, CY), Seen(11, 4)),
    "b.mp4": (Seen(0, 1, ADA), Seen(1, 1, ADA), Seen(2, 1, ADA), Seen(2, 5, BO), Seen(3, 5, BO)),
}


@dataclass
class PeopleDesk:
    """`media` by name: the files whose faces are in the Collection."""

    client: Client
    cache: CacheDir
    media: dict[str, Path]

    @property
    def body(self) -> dict[str, Any]:
        return {"cache_dir": str(self.cache.root), "cluster_job_name": NAME}

    def hash_of(self, name: str) -> str:
        return hash_media(str(self.media[name]))

    def publish_seconds(self, lengths: dict[str, int]) -> None:
        """Pictures of files by name, as many seconds as given; every second is a scene."""
        for number, (name, seconds) in enumerate(lengths.items()):
            scenes = tuple(Scene(at, at + 1) for at in range(seconds))
            vectors = random_units(seconds, 32, number)
            publish(self.cache, self.hash_of(name), vectors, model="conse-lite0", scenes=scenes)

    def job(self, **more: Any) -> dict[str, Any]:
        """What GET /faces/clusters says about the Collection."""
        answer = self.client.http.get("/faces/clusters", params={**self.body, **more})
        assert answer.status_code == 200, answer.text
        (job,) = answer.json()["cluster_jobs"]
        return dict(job)

    def clusters(self) -> list[tuple[int, str | None, int]]:
        return listed(self.job()["clusters"])

    def faces(self, **more: Any) -> list[dict[str, Any]]:
        return list(self.client.ok("/faces/clusters/faces", **self.body, **more)["faces"])

    def face_ids(self, cluster_id: int) -> list[str]:
        return [face["face_id"] for face in self.faces(cluster_id=str(cluster_id))]

    def modify(self, **more: Any) -> dict[str, Any]:
        return dict(self.client.ok("/faces/clusters/modify", **self.body, **more))

    def merge(self, *cluster_ids: int, into: int) -> dict[str, Any]:
        ids = [str(number) for number in cluster_ids]
        return self.modify(merges=[{"cluster_ids": ids, "target_cluster_id": str(into)}])

    def name(self, **names: str) -> dict[str, Any]:
        """`name(_1001="Ada")`."""
        assignments = [{"cluster_id": key[1:], "name": name} for key, name in names.items()]
        body = {**self.body, "assignments": assignments}
        answer = self.client.http.put("/faces/clusters/names", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def edits(self) -> list[dict[str, Any]]:
        answer = self.client.http.get("/faces/edits", params=self.body)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["edits"])

    def undo(self, **more: Any) -> dict[str, Any]:
        return dict(self.client.ok("/faces/edits/undo", **self.body, **more))


def listed(clusters: list[dict[str, Any]]) -> list[tuple[int, str | None, int]]:
    """(id, name, faces) of each."""
    return [(int(c["cluster_id"]), c["name"], c["face_count"]) for c in clusters]


@contextmanager
def people_desk(client: Client, cache_dir: Path, media: Path) -> Iterator[PeopleDesk]:
    """The Collection in a new cache folder; its media lie in `media` until the end."""
    cache = CacheDir.open(cache_dir, create=True)
    files = {name: media / f"people-{name}" for name in FACES}
    for name, path in files.items():
        path.write_bytes(name.encode() * 100)
    desk = PeopleDesk(client, cache, files)
    make_collection(cache, NAME, {desk.hash_of(name): seen for name, seen in FACES.items()})
    for name, path in files.items():
        found = path.stat()
        cache.remember_path(desk.hash_of(name), str(path), found.st_size, found.st_mtime_ns)
    yield desk
    for path in files.values():
        path.unlink(missing_ok=True)
