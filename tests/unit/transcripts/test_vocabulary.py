"""Which words a speech model is told of before it hears a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec
from shared.models.vocabulary import most_relevant
from shared.people.collection import Collection, CollectionVocabulary
from shared.people.edits import ClusterNaming, Names, Undo
from shared.people.enrolment import Enrolment, References
from tests.support.people.clusterings import clustering
from workers.analysis.speech.vocabulary import people_in, vocabulary_of


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


def words(cache: CacheDir, **spec: object) -> tuple[str, ...]:
    return vocabulary_of(cache, AnalyzeSpec(cache_dir="", files=(), **spec))  # type: ignore[arg-type]


def test_people_come_first_then_what_was_given(cache: CacheDir) -> None:
    cast(cache, c1="Wren", c3="Siobhan Gallagher")
    assert words(cache, vocabulary=("Tarrowby", "wren"), people_of="Cast") == (
        *("Siobhan Gallagher", "Wren"),  # who is seen most first
        "Tarrowby",
    )


def test_a_request_may_turn_all_of_it_off(cache: CacheDir) -> None:
    CollectionVocabulary(cast(cache, c1="Wren")).write(("Tarrowby",))
    assert words(cache, people_of="Cast", uses_vocabulary=False) == ()


def test_the_collections_own_words_come_after_those_of_the_request(cache: CacheDir) -> None:
    vocabulary = CollectionVocabulary(cast(cache, c1="Wren"))
    vocabulary.write(("Tarrowby", "Aldermoor"))
    asked = {"vocabulary": ("Aldermoor",), "people_of": "Cast"}
    assert words(cache, **asked) == ("Wren", "Aldermoor", "Tarrowby")
    assert words(cache, people_of="Other") == ()
    (cache.root.path / "collections").rename(cache.root.path / "kept")
    assert words(cache, **asked) == ("Aldermoor",)


def test_a_damaged_list_of_a_collection_is_none(cache: CacheDir) -> None:
    made = cast(cache)
    CollectionVocabulary(made).write(("Tarrowby",))
    (made.folder / "vocabulary.json").path.write_bytes(b"{")
    assert words(cache, people_of="Cast") == ()


def test_people_leave_half_of_the_forty_words_to_what_was_given(cache: CacheDir) -> None:
    made = Collection.open(cache.root, "Crowd", create=True)
    made.publish(clustering(list(range(1, 61))))
    made.append(Names(tuple(ClusterNaming(n, f"Person{n}") for n in range(1, 61))))
    given = tuple(f"word{n}" for n in range(60))
    found = words(cache, vocabulary=given, people_of="Crowd")
    assert (len(found), sum(word.startswith("Person") for word in found)) == (40, 20)
    found = words(cache, people_of="Crowd")
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
    assert words(cache, vocabulary=("Tarrowby",), people_of="Cast") == ("Tarrowby",)


def test_no_entry_is_cut_and_none_comes_twice() -> None:
    assert most_relevant(["Ada", "ada", "Siobhan Gallagher", "Wren"], 2) == ("Ada",)
    assert most_relevant(["Ada", "ada", "Wren"], 2) == ("Ada", "Wren")
