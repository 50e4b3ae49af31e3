"""What is known of a file stands in its own slot, and only of what is away by where it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import provide
from api.media.answers import MediaItem
from api.media.routes import _details
from api.people.people import PeopleServices
from shared.cache.cache_dir import CacheDir
from shared.settings import Settings
from tests.support.media.by_path import hash_media
from tests.support.search.search_data import publish, random_units


@pytest.fixture
def services(tmp_path: Path, redis_url: str) -> Iterator[PeopleServices]:
    roots = (str(tmp_path),)
    settings = Settings(redis_url=redis_url, state_dir=tmp_path / "state", media_roots=roots)
    services = provide(settings).get(PeopleServices)
    yield services
    services.caches.close()
    services.redis.close()


def test_a_path_outside_the_roots_and_a_file_in_change_have_nothing(
    services: PeopleServices, tmp_path: Path
) -> None:
    cache = CacheDir.open(tmp_path / "cache", create=True)
    away, changing = tmp_path / "away.mp4", tmp_path / "changing.mp4"
    for path in (away, changing):
        path.write_bytes(path.name.encode())
        publish(cache, hash_media(path), random_units(3, 32, 1), path=path)
    known = hash_media(away)
    away.unlink()
    items = [
        MediaItem(media_path="/etc/passwd"),
        MediaItem(media_path=str(changing), exists=True),  # its content is not known now
        MediaItem(media_path=str(away)),
    ]
    outside, unknown, details = _details(services, items, cache)
    assert (outside, unknown) == (None, None)
    assert details is not None
    assert [item.hash_str for item in items] == [None, None, known]
