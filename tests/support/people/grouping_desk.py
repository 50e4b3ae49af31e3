"""A Collection on the disk that tests fill with made-up faces of known people, and group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from shared.cache.cache_dir import CacheDir
from shared.cache.faces import FaceMark, FaceRows, face_id, face_keys, write_faces
from shared.cache.frame_packs import PackWriter
from shared.domain import Stage
from shared.models.specs import FaceScale
from shared.people.clustering import Clustering
from shared.people.collection import Collection
from shared.people.state import PeopleState
from workers.recluster.grouping import Grouping
from workers.recluster.types import Step

MODEL = "insightface-squares"  # as tests/support/analysis/desk.py makes it seem to be there
DIM = 32
NAME = "Season 1"
SCALE = FaceScale(person=0.5, track=0.95)
ADA, BO, CY, DEE = range(4)
Face = tuple[int, int]  # (second, person)


def go_on(_share: float, _message: str) -> None:
    return


@dataclass
class GroupingDesk:
    """One Collection; `look` makes faces of a person that differ a little each time."""

    cache: CacheDir
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    published: int = 0
    scale: FaceScale = SCALE
    noise: float = 0.08  # of a look, in each of its numbers
    mark: FaceMark = FaceMark.SMALL  # of marked faces
    score: float = 0.9

    def __post_init__(self) -> None:
        people = self.random.standard_normal((8, DIM))
        self.people = people / np.linalg.norm(people, axis=1, keepdims=True)

    def make_alike(self) -> None:
        """From now on people resemble each other so much that eps 1.9 takes all for one."""
        rows = np.eye(8, DIM) * 0.27 + np.eye(1, DIM, 20)
        self.people = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        self.scale, self.noise = FaceScale(person=0.95, track=0.995), 0.03

    @property
    def collection(self) -> Collection:
        """As another process opens it: nothing is remembered."""
        return Collection.open(self.cache.root, NAME, create=True)

    def look(self, person: int) -> np.ndarray:
        noise = self.random.standard_normal(DIM) * self.noise
        row = self.people[person] + noise
        return row / np.linalg.norm(row)

    def add(
        self,
        number: int,
        seen: Sequence[Face],
        *,
        marked: Sequence[int] = (),
        model: str = MODEL,
        off: float = 0.0,
    ) -> str:
        """Publish the faces of file `number` and make it a member; its hash.

        `off`: by how much of the picture's width another model's boxes are elsewhere.
        """
        hash_str = f"{number:016x}"
        count = len(seen)
        boxes = np.array([(person / 10 + off, 0.2, 0.08, 0.1) for _, person in seen], np.float32)
        rows = FaceRows(
            seconds=np.array([second for second, _ in seen], np.uint32),
            boxes=boxes.reshape(-1, 4),
            landmarks=np.zeros((count, 5, 2), np.float32),
            scores=np.full(count, self.score, np.float32),
            sharpness=np.full(count, 15, np.float32),
            sizes=np.full(count, 120, np.float32),
            marks=np.array([self.mark if n in marked else 0 for n in range(count)], np.uint8),
            embeddings=np.array([self.look(p) for _, p in seen]).reshape(-1, DIM).astype("f2"),
        )
        rows = rows.take(np.argsort(rows.keys, kind="stable"))
        self.published += 1
        with self.cache.draft(hash_str, Stage.FACES, model, "npz", str(self.published)) as draft:
            write_faces(draft.file, rows)
            assert draft.pack is not None
            PackWriter(draft.pack).finish()
            draft.publish(rows=count, dim=DIM)
        self.collection.add(model, [hash_str], "task")
        return hash_str

    def grouping(self, step: Step = go_on) -> Grouping:
        model = self.collection.members().model
        return Grouping(self.cache, self.collection, model, self.scale, step)

    def group(self, eps: float = 0.48, min_samples: int = 3) -> Clustering:
        self.grouping().everything(lambda _: (eps, min_samples))
        return self.now()

    def join(self, *hashes: str) -> Clustering:
        self.grouping().newcomers(hashes)
        return self.now()

    def now(self) -> Clustering:
        found = self.collection.clustering()
        assert found is not None
        return found

    def state(self) -> PeopleState:
        return PeopleState.of(self.now(), self.collection.edits())

    def id_of(self, hash_str: str, seen: Face) -> int:
        """The cluster in which a face is now, edits and all."""
        at = self.state().index_of(face(hash_str, seen))
        assert at is not None
        return int(self.state().faces[at])


def face(hash_str: str, seen: Face) -> str:
    """The public id of a face made by `GroupingDesk.add`."""
    box = np.array([(seen[1] / 10, 0.2, 0.08, 0.1)], np.float32)
    rows = np.array([seen[0]], np.uint32)
    return face_id(hash_str, int(face_keys(rows, box)[0]))


def shots(*people: int, start: int = 0, each: int = 4) -> list[Face]:
    """`each` seconds of each person, one after the other."""
    return [(start + n, person) for n, person in enumerate(np.repeat(people, each).tolist())]
