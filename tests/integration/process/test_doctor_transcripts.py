"""`rushes doctor` names transcripts that were made with folder names, and what makes them again."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from msgspec import UNSET, UnsetType

from cli.checks import everything
from shared.cache.cache_dir import CacheDir
from shared.people.collection import Collection
from shared.redis.known_folders import KnownFolders
from shared.settings import Settings
from tests.support.search.transcribed import publish_for, spoken

Words = tuple[str, ...] | UnsetType


@pytest.fixture
def cache(tmp_path: Path, redis_url: str) -> CacheDir:
    """One that the server knows."""
    (tmp_path / "state").mkdir()
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        KnownFolders(client, Settings().instance, tmp_path / "state").note(str(tmp_path / "cache"))
    return CacheDir.open(tmp_path / "cache", create=True)


def hear(cache: CacheDir, name: str, vocabulary: Words, *, is_silent: bool = False) -> str:
    path = Path(cache.root.path).parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(name)
    said = () if is_silent else (spoken(0, "We are rolling.", 2),)
    publish_for(cache, path, *said, vocabulary=vocabulary)
    return str(path)


def warnings(redis_url: str, tmp_path: Path) -> list[str]:
    settings = Settings(state_dir=tmp_path / "state")
    return [found.sentence for found in everything.with_folder_names(settings, redis_url)]


def test_files_are_named_in_the_command_that_makes_their_transcripts_again(
    cache: CacheDir, tmp_path: Path, redis_url: str
) -> None:
    hear(cache, "today.wav", ("Ada",))
    hear(cache, "silence.wav", UNSET, is_silent=True)
    assert warnings(redis_url, tmp_path) == []
    one, other = hear(cache, "b.wav", UNSET), hear(cache, "a b.wav", UNSET)
    [told] = warnings(redis_url, tmp_path)
    assert told == (
        f"{cache.root} has transcripts (files: 2) by a version that gave the speech model names of "
        "folders, which can cost full stops, words and sentences: make them again with `rushes "
        f"analyze '{other}' {one} --no-visual --force --speech-model whisper-base --cache "
        f"{cache.root}`."
    )
    hear(cache, "b.wav", ())
    [told] = warnings(redis_url, tmp_path)
    assert f"analyze '{other}' --no-visual" in told


def test_of_many_files_the_command_names_twenty_and_no_folder(
    cache: CacheDir, tmp_path: Path, redis_url: str
) -> None:
    paths = sorted(hear(cache, f"day{n}/{n}.wav", UNSET) for n in range(23))
    [told] = warnings(redis_url, tmp_path)
    assert f"`rushes analyze {' '.join(paths[:20])} --no-visual" in told
    assert told.endswith("`, and run `rushes doctor` again for the other 3.")


def test_what_cannot_be_read_is_left_to_other_checks(
    cache: CacheDir, tmp_path: Path, redis_url: str
) -> None:
    hear(cache, "a.wav", UNSET)
    assert list(everything.with_folder_names(Settings(state_dir=tmp_path / "state"), None)) == []
    (cache.root.path / "rushes.json").write_text("{")
    assert warnings(redis_url, tmp_path) == []


def test_folders_that_were_not_examined_in_time_are_counted(
    cache: CacheDir, tmp_path: Path, redis_url: str
) -> None:
    hear(cache, "a.wav", UNSET)
    settings = Settings(state_dir=tmp_path / "state")
    [late] = everything.with_folder_names(settings, redis_url, limit_s=0)
    assert "1 cache folders were not all examined in 0 s" in late.sentence


def test_a_collection_of_a_removed_face_model_is_named_with_the_command_that_replaces_it(
    cache: CacheDir, tmp_path: Path, redis_url: str
) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    for name, model in (("Season 1", "faceplugin-fr"), ("Season 2", "dlib-resnet")):
        Collection.open(cache.root, name, create=True).add(model, [f"{1:016x}"], "task")
    [found] = everything.of_removed_face_models(settings, redis_url)
    assert found.message == f"the collection 'Season 1' in {cache.root} was made with faceplugin-fr"
    assert "`rushes analyze PATH --collection 'Season 1' --no-visual --no-speech" in found.cure
    Collection.open(cache.root, "Season 1", create=True).add("dlib-resnet", [f"{1:016x}"], "task")
    assert list(everything.of_removed_face_models(settings, redis_url)) == []
