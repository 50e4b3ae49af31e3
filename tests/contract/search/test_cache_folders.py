"""GET /analysis-data/folders: which cache folders there are, for whom, and what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import Probe
from shared.media import MediaType
from shared.redis import known_folders
from shared.redis.clients import connect
from shared.redis.known_folders import KnownFolders
from tests.contract.keys.test_keys import made
from tests.support.private_redis import PrivateRedis
from tests.support.search.search_data import media_hash, publish, random_units
from tests.support.stack import Client, Stack

HOUR = Probe(media_type=MediaType.VIDEO, duration_seconds=3600.0)


def cache_of(folder: Path, files: int = 1) -> CacheDir:
    """A folder with so many films of an hour each."""
    cache = CacheDir.open(folder, create=True)
    for number in range(files):
        publish(cache, media_hash(number), random_units(2, 32, number), probe=HOUR)
    return cache


def listed(client: Client, *folders: Path) -> dict[str, dict[str, Any]]:
    """The entries of these folders by their names; other tests have used others."""
    answer = client.get("/analysis-data/folders")
    assert answer.status_code == 200, answer.text
    names = {str(folder): folder.name for folder in folders}
    found = answer.json()["folders"]
    return {
        names[entry["cache_dir"]]: {k: v for k, v in entry.items() if k != "cache_dir"}
        for entry in found
        if entry["cache_dir"] in names
    }


def load(client: Client, folder: Path) -> None:
    client.ok("/analysis-data/load", cache_dir=str(folder))


def test_folders_that_were_loaded_are_known_and_counted(client: Client, caches: Path) -> None:
    one, other, never = (caches / f"known-{name}" for name in ("one", "other", "never"))
    cache_of(one, files=3)
    cache_of(other)
    cache_of(never)
    load(client, one)
    load(client, other)
    found = listed(client, one, other, never)
    assert found.keys() == {one.name, other.name}
    assert (found[one.name]["files"], found[one.name]["hours"]) == (3, 3.0)
    assert found[one.name]["online"]
    assert found[one.name]["last_used_at"] <= found[other.name]["last_used_at"]


def test_a_folder_that_is_no_cache_folder_is_not_known_by_being_named(
    client: Client, caches: Path
) -> None:
    typo, plain = caches / "known-typo", caches / "known-plain"
    plain.mkdir()
    for folder in (typo, plain):
        load(client, folder)
    assert listed(client, typo, plain) == {}


def test_a_folder_that_is_away_is_listed_as_such(client: Client, caches: Path) -> None:
    folder = caches / "known-away"
    cache_of(folder)
    load(client, folder)
    folder.rename(caches / "known-moved")
    entry = listed(client, folder)[folder.name]
    assert (entry["online"], entry["files"], entry["hours"]) == (False, None, None)


def test_folders_of_watch_folders_and_analyses_are_known_before_they_are_there(
    client: Client, caches: Path, media: Path
) -> None:
    watched, analyzed = caches / "known-watched", caches / "known-analyzed"
    (media / "known").mkdir()
    added = client.http.post(
        "/watch-folders", json={"path": str(media / "known"), "cache_dir": str(watched)}
    )
    assert added.status_code == 201, added.text
    client.analyze(analyzed, media / "known" / "a.mp4", force=True)
    found = listed(client, watched, analyzed)
    assert found.keys() == {watched.name, analyzed.name}
    assert found[watched.name]["last_used_at"] is None
    assert found[analyzed.name]["last_used_at"] is not None
    assert client.http.delete(f"/watch-folders/{added.json()['id']}").status_code == 200


def test_a_key_with_roots_sees_its_own_folders_alone(
    client: Client, api_stack: Stack, caches: Path
) -> None:
    mine, other = caches / "known-mine" / "cache", caches / "known-others"
    for folder in (mine, other):
        cache_of(folder)
        load(client, folder)
    key, _ = made(client, roots=[str(mine.parent)])
    guest = api_stack.client(key=key)
    assert listed(guest, mine, other).keys() == {mine.name}
    everything = guest.get("/analysis-data/folders").json()["folders"]
    assert [entry["cache_dir"] for entry in everything] == [str(mine)]


def test_the_folders_used_last_are_known_after_redis_has_lost_them(
    api_redis: PrivateRedis, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_folders, "_MOST", 2)
    with connect(api_redis.url) as redis:
        known = KnownFolders(redis, "known-folders", tmp_path)
        for folder in ("/oldest", "/older", "/new"):
            known.note(folder)
        api_redis.flush()
        assert set(KnownFolders(redis, "known-folders", tmp_path).all()) == {"/older", "/new"}


def test_a_folder_is_used_also_where_that_cannot_be_noted(
    api_redis: PrivateRedis, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "cache-folders.json").write_text("no JSON")
    with connect(api_redis.url) as redis:
        KnownFolders(redis, "known-folders", tmp_path).note("/new")
