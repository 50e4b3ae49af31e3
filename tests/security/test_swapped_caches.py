"""Folders of a cache that become links, and folders again, while it is read and written."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.search.frames.previews import frame_pack, read_frames
from shared.cache import transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import FollowState
from shared.domain import Stage
from shared.errors import RushesError
from shared.paths import Roots
from shared.people.collection import Collection
from shared.people.enrolment import Enrolment, References
from tests.support.cache_material import CANARY, HASH, NAME, fill
from tests.support.search.search_data import publish, random_units
from tests.support.search.transcript_data import SPEECH, publish_transcript, segments

_SECONDS = 1.5


@contextlib.contextmanager
def swapping(place: Path, outside: Path) -> Iterator[None]:
    """By turns the name stands for what was there and for a link to what is outside."""
    stop = threading.Event()
    aside, link = place.with_name(".aside"), place.with_name(".link")

    def swap() -> None:
        while not stop.is_set():
            place.rename(aside)
            link.symlink_to(outside)
            with contextlib.suppress(OSError):  # a folder was made in its place meanwhile
                link.rename(place)
                place.unlink()
            link.unlink(missing_ok=True)
            while aside.exists():
                shutil.rmtree(place, ignore_errors=True)
                with contextlib.suppress(OSError):
                    aside.rename(place)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read(cache: CacheDir, _number: int) -> str:
    """Something of every kind, as text."""
    found = [
        repr(cache.manifests(HASH)),
        repr(read_frames(cache, HASH, [1], frame_pack(cache, HASH))),
    ]
    found.append(repr(cache.catalogue.follow(FollowState()).entries))
    found += [repr(entry) for entry in cache.catalogue.walk()]
    if manifest := cache.manifest(HASH, Stage.TRANSCRIPT, SPEECH):
        found.append(repr(transcripts.read(cache, HASH, manifest)))
    collection = Collection.open(cache.root, NAME, create=False)
    found.append(repr((collection.members(), collection.edits(), collection.clustering())))
    return " ".join(found)


def write(cache: CacheDir, number: int) -> str:
    publish(cache, HASH, random_units(2, 8, number))
    publish_transcript(cache, HASH, segments(f"take {number}"))
    cache.remember_path(HASH, f"/somewhere/{number}.mov", 1, number)
    Collection.open(cache.root, NAME, create=True).add("m", [f"{number:016x}"], "1")
    References(cache.root).add(Enrolment(str(number), ()))
    return ""


@pytest.mark.parametrize(
    "part", [".", "media", f"media/00/{HASH}", "catalog", "collections", "people"]
)
def test_nothing_is_read_or_written_outside_while_links_are_swapped(
    tmp_path: Path, part: str
) -> None:
    outside, inside, media = tmp_path / "outside", tmp_path / "inside", tmp_path / "film.mov"
    fill(outside, media, said=CANARY)
    (outside / "media" / "00" / HASH / "manifest.visual.canary.json").write_bytes(
        (outside / "media" / "00" / HASH / "manifest.visual.conse-lite0.json")
        .read_bytes()
        .replace(b'"conse-lite0"', f'"{CANARY}"'.encode())
    )
    before = everything(outside)
    roots = Roots("RUSHES_CACHE_ROOTS", (inside,), tmp_path / "state")
    inside.mkdir()
    fill(inside / "cache", media)
    done = failed = number = 0
    with swapping(inside / "cache" / part, outside / part):
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until or not done or not failed:
            assert time.monotonic() < until + 60, f"{done} done, {failed} refused"
            number += 1
            try:
                cache = CacheDir.open(inside / "cache", roots, create=False)
                said = (write if number % 2 else read)(cache, number)
                done += 1
                assert CANARY not in said
            except (RushesError, OSError):
                failed += 1
    assert everything(outside) == before
