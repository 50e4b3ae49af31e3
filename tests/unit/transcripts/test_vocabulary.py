"""Which words a speech model is told of before it hears a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec
from shared.models.vocabulary import most_relevant
from shared.paths import Roots
from shared.people.collection import Collection
from shared.people.edits import ClusterNaming, Names, Undo
from shared.people.enrolment import Enrolment, References
from shared.people.vocabulary import CollectionVocabulary
from tests.support.people.clusterings import clustering
from workers.analysis.speech.vocabulary import Vocabulary, folder_names, people_in

ROOTS = Roots("RUSHES_MEDIA_ROOTS", (Path("/footage"),), Path("/state"))


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    return CacheDir.open(tmp_path, create=True)


def cast(cache: CacheDir, collection: str = "Cast", **names: str) -> Collection:
    """A Collection with clusters 1, 2 and 3 of one, two and three faces; c2="Ada" names one."""
    made = Collection.open(cache.root, collection, create=True)
    made.publish(clustering([1, 2, 2, 3, 3, 3]))
    for cluster, name in names.items():
        made.append(Names((ClusterNaming(int(cluster[1:]), name),)))
    return made


def words(cache: CacheDir, path: str, **spec: object) -> tuple[str, ...]:
    told = AnalyzeSpec(cache_dir="", files=(), **spec)  # type: ignore[arg-type]
    return Vocabulary(cache, told, ROOTS).of(path)


def test_people_come_first_then_what_was_given_then_names_of_folders(cache: CacheDir) -> None:
    cast(cache, c1="Wren", c3="Siobhan Gallagher")
    path = "/footage/Kestrelhaven/Interview Brandt/A001.mov"
    assert words(cache, path, vocabulary=("Tarrowby", "wren"), people_of="Cast") == (
        *("Siobhan Gallagher", "Wren"),  # who is seen most first
        "Tarrowby",
        *("Interview Brandt", "Kestrelhaven"),
    )


def test_the_collections_own_words_come_after_those_of_the_request(cache: CacheDir) -> None:
    vocabulary = CollectionVocabulary(cast(cache, c1="Wren"))
    vocabulary.write(("Tarrowby", "Aldermoor"))
    asked = {"vocabulary": ("Aldermoor",), "people_of": "Cast"}
    assert words(cache, "/footage/a.mov", **asked) == ("Wren", "Aldermoor", "Tarrowby")
    assert words(cache, "/footage/a.mov", people_of="Other") == ()
    (cache.root.path / "collections").rename(cache.root.path / "kept")
    assert words(cache, "/footage/a.mov", **asked) == ("Aldermoor",)


def test_a_damaged_list_of_a_collection_is_none(cache: CacheDir) -> None:
    made = cast(cache)
    CollectionVocabulary(made).write(("Tarrowby",))
    (made.folder / "vocabulary.json").path.write_bytes(b"{")
    assert words(cache, "/footage/a.mov", people_of="Cast") == ()


def test_people_leave_half_of_the_forty_words_to_what_was_given(cache: CacheDir) -> None:
    made = Collection.open(cache.root, "Crowd", create=True)
    made.publish(clustering(list(range(1, 61))))
    made.append(Names(tuple(ClusterNaming(n, f"Person{n}") for n in range(1, 61))))
    given = tuple(f"word{n}" for n in range(60))
    found = words(cache, "/footage/a.mov", vocabulary=given, people_of="Crowd")
    assert (len(found), sum(word.startswith("Person") for word in found)) == (40, 20)
    found = words(cache, "/footage/a.mov", people_of="Crowd")
    assert (len(found), sum(word.startswith("Person") for word in found)) == (40, 40)


def test_without_a_collection_people_of_all_of_them_count(cache: CacheDir) -> None:
    cast(cache, "One", c1="Ada")
    cast(cache, "Two", c2="Wren", c1="Ada")
    assert people_in(cache, "") in (("Ada", "Wren"), ("Wren", "Ada"))  # two faces each
    assert people_in(cache, "One") == ("Ada",)
    assert people_in(cache, "Three") == ()


def test_who_is_enrolled_by_photos_may_be_in_any_collection(cache: CacheDir) -> None:
    cast(cache, c1="Ada")
    references = References(cache.root)
    for name in ("wren", "Ada", "Wren"):
        references.add(Enrolment(name, ()))
    assert people_in(cache, "Cast") == ("Ada", "Wren")
    references.forget({"wren"})
    assert people_in(cache, "Cast") == ("Ada",)


def test_a_name_that_was_taken_back_is_no_more_told(cache: CacheDir) -> None:
    made = cast(cache, c1="Ada")
    assert people_in(cache, "Cast") == ("Ada",)
    made.append(Undo(""))
    assert people_in(cache, "Cast") == ()


def test_a_collection_that_cannot_be_read_costs_its_names_alone(cache: CacheDir) -> None:
    made = cast(cache, c1="Ada")
    (made.folder.path / "name.json").write_text('{"name": "Another", "created_at": 1}')
    for file in made.folder.path.glob("clustering-*"):
        file.write_bytes(b"damaged")
    assert words(cache, "/footage/Tarrowby/a.mov", people_of="Cast") == ("Tarrowby",)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/footage/A001/CLIP/100MEDIA/DCIM/x.mov", ()),
        ("/footage/day 1/2026-11-28/Kestrelhaven_v2/x.mov", ("Kestrelhaven",)),
        ("/footage/Wren Thistlewood/TARROWBY (raw)/x.mov", ("TARROWBY", "Wren Thistlewood")),
        ("/footage/O'Brien & Sons/x.mov", ("O'Brien Sons",)),
        ("/footage/Überlingen/наталья/渋谷区/x.mov", ("渋谷区", "наталья", "Überlingen")),
        ("/footage/x.mov", ()),
        ("/volumes/Nordhagen/x.mov", ("Nordhagen",)),
    ],
)
def test_folders_are_named_by_words_and_not_by_numbers_or_cameras(
    path: str, names: tuple[str, ...]
) -> None:
    assert folder_names(path, ROOTS) == names


def test_the_nearest_folders_count_most_and_eight_words_of_them_at_all() -> None:
    folders = "/".join(f"{letter * 4} {letter * 5}" for letter in "abcdef")
    assert folder_names(f"/footage/{folders}/x.mov", ROOTS) == (
        "ffff fffff", "eeee eeeee", "dddd ddddd", "cccc ccccc",
    )  # fmt: skip


def test_no_entry_is_cut_and_none_comes_twice() -> None:
    assert most_relevant(["Ada", "ada", "Siobhan Gallagher", "Wren"], 2) == ("Ada",)
    assert most_relevant(["Ada", "ada", "Wren"], 2) == ("Ada", "Wren")
