"""With `coverage` a search says of what is asked how much it knows, and why not more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec, FileSpec, Probe, ProgressType, TaskKind
from shared.ledger.records import NewItem, NewTask
from shared.media import MediaType
from shared.watch.live import NO_WATCHER, WatchState
from shared.watch.options import FileGroup
from tests.support.media.by_path import hash_media
from tests.support.played_worker import claim
from tests.support.private_redis import PrivateRedis
from tests.support.search import transcribed
from tests.support.search.search_data import publish, random_units
from tests.support.search.transcript_data import segments
from tests.support.stack import Client, Stack
from tests.support.watch.desk import WatchDesk, watch_desk

HOUR = Probe(media_type=MediaType.VIDEO, duration_seconds=3600.0, has_audio=True)
MUTE = Probe(media_type=MediaType.VIDEO, duration_seconds=3600.0)
PARTS = ("searched", "waiting", "failed", "other_models", "unknown")


@pytest.fixture
def desk(
    api_stack: Stack, client: Client, api_redis: PrivateRedis, media: Path, caches: Path
) -> Iterator[WatchDesk]:
    state_dir = api_stack.folder / "state"
    with watch_desk(client, api_redis.url, media, caches, state_dir) as desk:
        yield desk


class Shoot:
    """A cache folder and its media."""

    def __init__(self, desk: WatchDesk, name: str) -> None:
        self.desk, self.root = desk, desk.folder(name)
        self.cache = CacheDir.open(desk.caches / name, create=True)
        self.analyzed("first.mp4")

    def file(self, name: str) -> Path:
        path = self.root / name
        path.write_bytes(f"{self.root}{name}".encode())
        return path

    def analyzed(self, name: str, model: str = "conse-lite0", probe: Probe = HOUR) -> Path:
        path = self.file(name)
        publish(self.cache, hash_media(path), random_units(3, 32, 1), model=model, path=path,
                probe=probe)  # fmt: skip
        return path

    def sent(self, *names: str, wants: ProgressType = ProgressType.VIDEO) -> str:
        """A Task with an Item for each of these files."""
        paths = [str(self.file(name)) for name in names]
        items = [
            NewItem.analyze(
                AnalyzeSpec(
                    str(self.cache.root), (FileSpec(path, path, MediaType.VIDEO, (wants,)),)
                )
            )
            for path in paths
        ]
        task = NewTask(kind=TaskKind.ANALYZE, items=items)
        self.desk.ledger.submit(task, "queue")
        return task.task_id

    def coverage(self, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.desk.client.ok(
            "/search/frame", cache_dir=str(self.cache.root), coverage=True, time_seconds=0,
            media_path=str(self.root / "first.mp4"), **more,
        )["coverage"]  # fmt: skip
        assert found["asked"]["files"] == sum(found[part]["files"] for part in PARTS)
        return found

    def counts(self, **more: Any) -> dict[str, int]:
        found = self.coverage(**more)
        counts = {part: found[part]["files"] for part in (*PARTS, "offline")}
        return {part: count for part, count in counts.items() if count}


@pytest.fixture
def shoot(desk: WatchDesk, request: pytest.FixtureRequest) -> Shoot:
    return Shoot(desk, request.node.name[:40])


def reasons(found: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    return {
        (each["state"], each["reason"]): [Path(path).name for path in each["examples"]]
        for each in found["reasons"]
    }


def test_every_file_is_counted_once_while_it_goes_its_way(shoot: Shoot) -> None:
    assert shoot.counts() == {"searched": 1}
    task_id = shoot.sent("b.mp4", "c.mp4")
    assert shoot.counts() == {"searched": 1, "waiting": 2}
    ledger = shoot.desk.ledger
    leases = [claim(ledger, task_id, n, "w", f"nonce{n}") for n in range(2)]
    found = shoot.coverage()
    assert reasons(found) == {("waiting", "Being analyzed now."): ["b.mp4", "c.mp4"]}
    for n, (lease, name) in enumerate(zip(leases, ("b.mp4", "c.mp4"), strict=True)):
        assert lease is not None
        path = str(shoot.root / name)
        if n == 0:
            shoot.analyzed(name)  # published before anybody hears that it has ended
            assert shoot.counts() == {"searched": 2, "waiting": 1}
        error = "The file is cut off." if n else ""
        ledger.file_ended(lease, type=ProgressType.VIDEO, index=0, media_path=path, error=error)
        ledger.settle(lease, "done")
    found = shoot.coverage()
    assert (found["searched"], found["failed"]["files"]) == ({"files": 2, "hours": 2.0}, 1)
    assert reasons(found) == {("failed", "The file is cut off."): ["c.mp4"]}
    assert found["models"] == [{"model_key": "conse-lite0", "files": 2, "hours": 2.0}]
    assert found["asked"] == {"files": 3, "hours": 2.0}


def test_what_watch_folders_have_is_counted_with_what_hinders_them(shoot: Shoot) -> None:
    desk = shoot.desk
    folder = desk.added(shoot.root.name, cache_dir=str(shoot.cache.root))
    heard = desk.added("heard", cache_dir=str(shoot.cache.root), analyze_visual=False,
                       analyze_speech=True)  # fmt: skip
    desk.service("start")
    new, broken = shoot.file("new.mp4"), shoot.file("broken.mp4")
    desk.watcher_knows(folder["id"], str(new), group=FileGroup.PENDING)
    desk.watcher_knows(folder["id"], str(broken), group=FileGroup.FAILED, reason="It is cut off.")
    desk.watcher_knows(heard["id"], "/media/heard.wav", group=FileGroup.PENDING)
    desk.watcher_says(WatchState.RUNNING)
    found = shoot.coverage()
    assert reasons(found) == {
        ("waiting", "In line for analysis."): ["new.mp4"],
        ("failed", "It is cut off."): ["broken.mp4"],
    }
    desk.put(folder["id"], enabled=False)
    assert ("waiting", "The watch folder is disabled.") in reasons(shoot.coverage())


def test_a_watcher_that_is_away_is_the_reason_of_all_that_waits(shoot: Shoot) -> None:
    desk = shoot.desk
    folder = desk.added(shoot.root.name, cache_dir=str(shoot.cache.root))
    desk.service("start")
    desk.watcher_knows(folder["id"], str(shoot.file("new.mp4")), group=FileGroup.PENDING)
    desk.watcher_lease.release("the watcher's")
    assert reasons(shoot.coverage()) == {("waiting", NO_WATCHER): ["new.mp4"]}


def test_of_asked_files_each_has_its_place(shoot: Shoot) -> None:
    other = shoot.analyzed("other.mp4", model="vit")
    sound, plain = shoot.file("sound.wav"), shoot.file("plain.mp4")
    missing = shoot.root / "missing.mp4"
    asked = [str(p) for p in (shoot.root / "first.mp4", other, sound, plain, missing)]
    found = shoot.coverage(media_paths=[*asked, "relative.mp4"])
    assert {part: found[part]["files"] for part in PARTS} == {
        "searched": 1, "waiting": 0, "failed": 0, "other_models": 1, "unknown": 4,
    }  # fmt: skip
    by_reason = reasons(found)
    assert by_reason["other_model", "It was analyzed with vit only."] == ["other.mp4"]
    assert by_reason["unknown", "It is sound: there are no pictures to search."] == ["sound.wav"]
    assert by_reason["unknown", "It is not there, or cannot be read."] == ["missing.mp4"]
    assert [names for (_, why), names in by_reason.items() if "absolute" in why] == [
        ["relative.mp4"]
    ]


def test_an_offline_file_is_searched_and_counted_as_offline_too(shoot: Shoot) -> None:
    (shoot.analyzed("away é.mp4")).rename(shoot.root / "elsewhere")
    assert shoot.counts() == {"searched": 2, "offline": 1}
    decomposed = str(shoot.root / "away e\u0301.mp4")
    assert shoot.counts(media_paths=[decomposed]) == {"searched": 1, "offline": 1}
    found = shoot.desk.client.ok(
        "/search/frame", cache_dir=str(shoot.cache.root), time_seconds=0, details=True,
        media_path=str(shoot.root / "first.mp4"), media_paths=[decomposed],
    )["matches"]  # fmt: skip
    assert {match["online"] for match in found} == {False}
    spec = AnalyzeSpec(str(shoot.cache.root), (FileSpec(decomposed, decomposed, MediaType.VIDEO),))
    task = NewTask(kind=TaskKind.ANALYZE, items=[NewItem.analyze(spec)])
    shoot.desk.ledger.submit(task, "queue")
    assert shoot.counts() == {"searched": 2, "offline": 1}, "it is the same file"


def test_transcripts_of_any_model_are_searched_and_what_waits_for_speech_waits(
    shoot: Shoot,
) -> None:
    path = shoot.file("spoken.wav")
    transcribed.publish(shoot.cache, hash_media(path), segments("thunder"), model="whisper-other")
    shoot.cache.remember_path(hash_media(path), str(path), path.stat().st_size, 1)
    shoot.sent("heard.mp4", wants=ProgressType.AUDIO)
    found = shoot.desk.client.ok(
        "/search/transcript", query="thunder", cache_dir=str(shoot.cache.root), coverage=True
    )["coverage"]
    assert {part: found[part]["files"] for part in PARTS} == {
        "searched": 1, "waiting": 1, "failed": 0, "other_models": 0, "unknown": 1,
    }  # fmt: skip
    assert found["model_key"] == "whisper-base"


def test_transcripts_that_were_made_with_folder_names_are_counted_and_searched(
    shoot: Shoot,
) -> None:
    def coverage() -> Any:
        asked = {"query": "thunder", "cache_dir": str(shoot.cache.root), "coverage": True}
        answer = shoot.desk.client.ok("/search/transcript", **asked)
        assert len(answer["matches"]) == 2
        return answer["coverage"]

    for name, words in (("today.wav", ("Ada",)), ("earlier.wav", UNSET)):
        transcribed.publish_for(
            shoot.cache, shoot.file(name), *segments("thunder"), vocabulary=words
        )
    found = coverage()
    assert (found["searched"]["files"], found["with_folder_names"]["files"]) == (2, 1)
    again = shoot.root / "earlier.wav"
    transcribed.publish_for(shoot.cache, again, *segments("thunder"))
    assert "with_folder_names" not in coverage()


def test_films_without_sound_count_where_somebody_asks_for_them_alone(shoot: Shoot) -> None:
    mute = shoot.analyzed("mute.mp4", probe=MUTE)
    asked: dict[str, Any] = {"query": "thunder", "cache_dir": str(shoot.cache.root)}
    asked["coverage"] = True
    found = shoot.desk.client.ok("/search/transcript", **asked)["coverage"]
    assert found["asked"] == {"files": 1, "hours": 1.0}, "that of first.mp4"
    asked["media_paths"] = [str(mute)]
    found = shoot.desk.client.ok("/search/transcript", **asked)["coverage"]
    assert reasons(found) == {("unknown", "It has no sound: nobody speaks in it."): ["mute.mp4"]}


def test_who_asks_for_nothing_is_told_that(shoot: Shoot) -> None:
    assert shoot.counts(media_paths=[]) == {}
    plain = shoot.desk.client.ok(
        "/search/frame", cache_dir=str(shoot.cache.root), time_seconds=0,
        media_path=str(shoot.root / "first.mp4"),
    )  # fmt: skip
    assert plain.keys() == {"matches"}
