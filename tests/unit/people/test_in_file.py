"""Who is to be seen in one file, by all collections that it is in."""

from __future__ import annotations

from pathlib import Path

from api.people.people import People
from shared.cache.cache_dir import CacheDir
from tests.support.people.people_data import Seen, make_collection
from tests.support.search.search_data import media_hash


def test_each_person_comes_with_how_long_and_since_when(tmp_path: Path) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    one, other = media_hash(1), media_hash(2)
    ada, bo = 1001, 1002
    seen = {one: [Seen(3, 2, ada), Seen(5, 1, bo), Seen(6, 1, bo), Seen(6, 7, bo), Seen(9, 1)]}
    make_collection(cache, "Cast", seen | {other: [Seen(1, 2, ada)]})
    make_collection(cache, "Extras", {other: [Seen(1, 2, ada)]})
    people = People()
    assert [tuple(who) for who in people.in_file(cache, one)] == [
        ("Cast", bo, None, 2, 5),
        ("Cast", ada, None, 1, 3),
    ]
    assert [who.collection for who in people.in_file(cache, other)] == ["Cast", "Extras"]
    assert people.in_file(cache, media_hash(3)) == []
