"""When an analysis groups its Collection: at the end of a Task, now and then, or at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec, ProgressType
from shared.people.clustering import Clustering
from shared.settings import Settings
from tests.support.people.grouping_desk import ADA, BO, MODEL, GroupingDesk, shots
from workers.recluster.grouping import bring_up_to_date


@dataclass
class Room:
    """What Context and progress of an Item are to the upkeep, and the Collection that it keeps."""

    folder: Path
    more_items: bool = True
    settings: Settings = field(init=False)
    desk: GroupingDesk = field(init=False)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        pack = self.folder / "models" / "insightface" / MODEL.removeprefix("insightface-")
        pack.mkdir(parents=True)
        (pack / "det_none.onnx").write_bytes(b"none")
        (pack / "rushes-faces.json").write_text(json.dumps({"person": 0.5, "track": 0.95}))
        self.settings = Settings(models_dir=self.folder / "models")
        self.desk = GroupingDesk(self.cache(str(self.folder / "cache")))

    def cache(self, path: str) -> CacheDir:
        return CacheDir.open(path, create=True)

    @property
    def progress(self) -> Room:
        return self

    @property
    def bench(self) -> Room:
        return self

    def others_will_follow(self) -> bool:
        return self.more_items

    def checkpoint(self) -> None:
        return

    def report(self, kind: ProgressType, files: float, path: str, message: str) -> None:
        assert (kind, files, path) == (ProgressType.FACES, 0.0, ""), "nothing but words"
        self.said.append(message)

    def keep(self, *hashes: str) -> Clustering:
        spec = AnalyzeSpec(str(self.desk.cache.root), (), face_model=MODEL, collection="-")
        bring_up_to_date(self, spec, self.desk.collection, hashes)  # type: ignore[arg-type]
        return self.desk.now()

    def age(self, seconds: float) -> None:
        """As if the newest grouping had been made so long ago, by the clock of its maker."""
        now = self.desk.now()
        older = replace(now, number=now.number + 1, made_at=now.made_at - seconds)
        assert self.desk.collection.publish(older)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_while_others_follow_newcomers_wait_and_the_last_item_groups_them_all(room: Room) -> None:
    one = room.desk.add(1, shots(ADA))
    assert room.keep(one).media == (one,)
    assert {"Season 1: reading faces.", "Season 1: grouping people."} <= set(room.said)
    two, three = room.desk.add(2, shots(BO)), room.desk.add(3, shots(BO))
    assert room.keep(two).media == (one,)
    room.more_items = False
    assert room.keep(three).media == (one, two, three)


@pytest.mark.parametrize("seconds", [40, -3600])
def test_a_grouping_of_long_ago_or_by_a_clock_ahead_is_renewed_while_others_follow(
    room: Room, seconds: float
) -> None:
    one = room.desk.add(1, shots(ADA))
    room.keep(one)
    room.age(seconds)
    two = room.desk.add(2, shots(BO))
    assert room.keep(two).media == (one, two)


def test_faces_made_anew_are_grouped_at_once_for_the_last_item_would_not_notice(
    room: Room,
) -> None:
    one, two = room.desk.add(1, shots(ADA)), room.desk.add(2, shots(ADA))
    before = room.keep(one, two)
    room.desk.add(1, shots(BO))
    after = room.keep(one)
    assert after.media_files[0] != before.media_files[0]
    assert after.media_files[1] == before.media_files[1]
    room.more_items = False
    assert room.keep(two).number == after.number, "nothing is left to do"


def test_a_member_without_usable_faces_is_looked_at_again_and_harms_nobody(room: Room) -> None:
    one = room.desk.add(1, shots(ADA))
    room.desk.collection.add(MODEL, ["f" * 16], "task")
    assert room.keep(one).media == (one,)
    room.more_items = False
    assert room.keep("f" * 16).media == (one,)
