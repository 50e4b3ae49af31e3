"""A person to be deleted, and what may be left of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from api.people.people import People
from api.people.snapshot import CollectionSnapshot
from shared.cache.cache_dir import CacheDir
from shared.cache.faces import FaceRows, write_faces
from shared.cache.frame_packs import PackWriter
from shared.domain import Stage
from shared.people.collection import Collection
from tests.support.people.people_data import (
    Seen,
    clustering_of,
    face_rows,
)
from tests.support.people.people_desk import (
    FACES,
    NAME,
    PeopleDesk,
)

UNSEEN = "Ada Ünverkennbar"  # a name that no file may hold afterwards


def delete(people: PeopleDesk, **body: Any) -> dict[str, Any]:
    cache_dir = people.body["cache_dir"]
    return dict(people.client.ok("/faces/people/delete", cache_dir=cache_dir, **body))


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def embeddings_of(people: PeopleDesk, cluster: int) -> list[bytes]:
    """The vectors of a person as bytes, as any file of ours has them."""
    found = []
    for seen in FACES.values():
        rows = face_rows(seen)
        ordered = sorted(seen, key=lambda face: (face.second, face.tenth))
        found += [
            rows.embeddings[n].tobytes()
            for n, face in enumerate(ordered)
            if face.cluster == cluster
        ]
    return found


def crops_of(people: PeopleDesk, cluster: int) -> list[bytes]:
    """What the pack holds as pictures of a person's faces."""
    found = []
    for name, seen in FACES.items():
        ordered = sorted(seen, key=lambda face: (face.second, face.tenth))
        found += [
            f"{people.hash_of(name)} {n}".encode()
            for n, face in enumerate(ordered)
            if face.cluster == cluster
        ]
    return found


def snapshot_of(people: PeopleDesk) -> CollectionSnapshot:
    return People().open(people.cache, NAME)


def by_another_model(people: PeopleDesk) -> tuple[FaceRows, Collection]:
    """The faces of a.mp4 as another model has them, in a collection of their own."""
    hash_str = people.hash_of("a.mp4")
    seen = sorted(FACES["a.mp4"], key=lambda face: (face.second, face.tenth))
    rows = shifted_rows(seen)
    file = publish_of(people.cache, hash_str, "other-faces", rows)
    moved = [face._replace(cluster=n) for n, face in enumerate(seen, 7001)]
    clustering = dataclasses.replace(
        clustering_of({hash_str: (file, moved)}), model="other-faces", keys=rows.keys
    )
    other = Collection.open(people.cache.root, "Season 2", create=True)
    other.add("other-faces", [hash_str], "1")
    assert other.publish(clustering)
    return rows, other


def shifted_rows(seen: Sequence[Seen]) -> FaceRows:
    rows = face_rows(seen)
    kept = {name: getattr(rows, name) for name in FaceRows.__slots__}
    kept["boxes"] = rows.boxes + np.array([0.004, 0.004, 0, 0], np.float32)
    kept["embeddings"] = -rows.embeddings
    return FaceRows(**kept)


def publish_of(cache: CacheDir, hash_str: str, model: str, rows: FaceRows) -> str:
    """Faces of a model; the picture of each is its number."""
    with cache.draft(hash_str, Stage.FACES, model, "npz", "1") as draft:
        assert draft.pack is not None
        write_faces(draft.file, rows)
        pack = PackWriter(draft.pack)
        for row in range(len(rows)):
            pack.add(row, f"{row}".encode())
        pack.finish()
        return draft.publish(rows=len(rows), dim=4).file
