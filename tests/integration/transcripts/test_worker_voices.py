"""Voices of a Collection while workers hear its files: grouped, and kept through new analyses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.cache import speakers
from shared.cache.cache_dir import CacheDir
from shared.domain import ProgressType, Stage, TaskState
from shared.people.clustering import Clustering
from shared.people.collection import Collection
from shared.people.edits import ClusterNaming, Names
from shared.people.enrolment import NOBODY
from shared.people.state import PeopleState
from tests.support.analysis.desk import Desk, shared_desk
from tests.support.fake_models import ENGLISH, said
from tests.support.lite_models import lite_weights
from tests.support.media.by_path import hash_media
from tests.support.media.sounds import write_sounds
from tests.support.stack import models_dir

VOICES = "resemblyzer"
CAST = "Cast"
WORDS = ENGLISH[:5]


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Two of them, which tell speakers apart unless a task says otherwise."""
    folder = tmp_path_factory.mktemp("workers")
    lite_weights(VOICES)
    (folder / "models").mkdir()
    (folder / "models" / VOICES).symlink_to(models_dir() / VOICES)
    with shared_desk(folder) as desk:
        for number in range(2):
            desk.worker_that_hears_tones(number, tells_speakers=True)
        yield desk


@pytest.fixture
def desk(workers: Desk, tmp_path: Path) -> Desk:
    return workers.with_folder(tmp_path)


def analyze(desk: Desk, *paths: Path, **more: Any) -> None:
    """One Item a file."""
    fields = {"wants": (ProgressType.AUDIO,), "speech_model": "tones", "people_of": CAST, **more}
    record = desk.wait_final(desk.submit(*([path] for path in paths), **fields))
    assert (record.status, record.failed_files) == (TaskState.COMPLETED, ())


def talk(desk: Desk, name: str, start: float, count: int = 25) -> Path:
    """Somebody who says the same at another time."""
    words = [(start + n * 0.4, WORDS[n % len(WORDS)]) for n in range(count)]
    pcm = said(words, start + count * 0.4 + 1)
    return write_sounds(desk.folder / name, [pcm], rate=16_000)


def people(desk: Desk) -> PeopleState:
    """As the API would read them."""
    collection = Collection(CacheDir.open(desk.cache, create=False).root, CAST)
    clustering = collection.clustering() or Clustering.empty()
    return PeopleState.of(clustering, collection.edits(), NOBODY, collection.voices())


def test_a_name_is_kept_through_a_new_analysis_and_goes_on_to_other_files(desk: Desk) -> None:
    one, other = talk(desk, "one.wav", 1), talk(desk, "other.wav", 1.5)
    analyze(desk, one)
    first = people(desk).grouped_voices
    assert (len(first), first.media) == (1, (hash_media(str(one)),)), desk.logs()
    start, end = first.excerpts[0].tolist()
    assert start == pytest.approx(1, abs=0.2)
    assert end - start == pytest.approx(10, abs=0.5)
    collection = Collection(CacheDir.open(desk.cache, create=False).root, CAST)
    collection.append(Names((ClusterNaming(int(first.labels[0]), "Ada"),)))
    analyze(desk, one, force=True)
    again = people(desk)
    assert again.grouped_voices.number == first.number + 1, "grouped as it is now"
    assert again.grouped_voices.media_files != first.media_files
    assert again.grouped_voices.ids.tolist() == first.ids.tolist()
    assert list(again.voice_names.values()) == ["Ada"]
    analyze(desk, other)
    both = people(desk)
    assert (list(both.voice_names.values()), both.voice_counts) == (
        ["Ada"],
        {int(first.labels[0]): 2},
    )
    number = both.grouped_voices.number
    analyze(desk, one, other)
    assert people(desk).grouped_voices.number == number, "nothing was new"
    edits = collection.folder.path / "edits"
    edits.rename(edits.with_name("aside"))
    edits.symlink_to("edits")  # a loop
    third = talk(desk, "third.wav", 2)
    analyze(desk, third)
    assert "wait for the next grouping" in desk.logs()
    edits.unlink()
    edits.with_name("aside").rename(edits)
    analyze(desk, one)
    assert hash_media(str(third)) in people(desk).grouped_voices.media, "it was left to the next"


def test_two_workers_at_once_lose_no_voice(desk: Desk) -> None:
    paths = [talk(desk, f"{n}.wav", 1 + n / 4, 6) for n in range(4)]
    analyze(desk, *paths)
    assert set(people(desk).grouped_voices.media) == {hash_media(str(path)) for path in paths}


def test_without_speakers_or_a_collection_nothing_is_grouped(desk: Desk) -> None:
    path = talk(desk, "one.wav", 1, 6)
    analyze(desk, path, speakers=False)
    assert not Collection(CacheDir.open(desk.cache, create=False).root, CAST).exists()
    analyze(desk, path, people_of="")
    cache = CacheDir.open(desk.cache, create=False)
    manifest = cache.manifest(hash_media(str(path)), Stage.SPEAKERS, "tones")
    assert manifest is not None
    assert speakers.read(cache, hash_media(str(path)), manifest).speakers[0].id > 0
    assert Collection.all_names(cache.root) == []
    analyze(desk, path)
    assert len(people(desk).grouped_voices) == 1, "what was there before is grouped, too"
