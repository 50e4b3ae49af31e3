"""Results of files are deleted, by file and by model, and come back for a day."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from shared.cache import publishing
from shared.cache.cache_dir import CacheDir
from shared.domain import Stage
from tests.support.cache_material import HASH, MODEL, fill
from tests.support.search.search_data import media_hash, publish, random_units
from tests.support.stack import Client

OTHER = media_hash(2)


@pytest.fixture
def cache(caches: Path, media: Path, request: pytest.FixtureRequest) -> CacheDir:
    """Two files: one with results of every kind, one with pictures only."""
    cache = fill(caches / request.node.name[:60], media / "both.mp4")
    (media / "other.mp4").touch()
    publish(cache, OTHER, random_units(3, 384, 2), model=MODEL, path=media / "other.mp4")
    return cache


STAGES = set(Stage) - {Stage.SPEAKERS, Stage.CAPTIONS}  # of the file with everything


def delete(client: Client, cache: CacheDir, **body: Any) -> dict[str, Any]:
    return dict(client.ok("/analysis-data/delete", cache_dir=str(cache.root), **body))


def stages(cache: CacheDir, hash_str: str = HASH) -> set[Stage]:
    return {found.stage for found in cache.manifests(hash_str)}


def found_by_words(client: Client, cache: CacheDir) -> int:
    return len(client.ok("/search/transcript", cache_dir=str(cache.root), query="hello")["matches"])


def test_nothing_is_deleted_unless_dry_run_is_false(
    client: Client, cache: CacheDir, media: Path
) -> None:
    before = stages(cache)
    said = delete(client, cache, media_paths=[str(media / "both.mp4")])
    assert (said["dry_run"], said["deletion_id"], said["kept_until"]) == (True, None, None)
    assert said["files"] == 1
    (shown,) = said["media"]
    assert (shown["media_path"], shown["hash_str"]) == (str(media / "both.mp4"), HASH)
    kinds = [data["kind"] for data in shown["data"]]
    assert sorted(kinds) == ["faces", "frames", "transcription", "visual"]
    assert said["bytes"] == sum(data["bytes"] for data in shown["data"]) > 1000
    assert stages(cache) == before == STAGES
    assert not (cache.root / "deletions").exists()


def test_the_results_of_a_file_are_deleted_and_brought_back(
    client: Client, cache: CacheDir, media: Path
) -> None:
    assert found_by_words(client, cache) == 1
    said = delete(client, cache, media_paths=[str(media / "both.mp4")], dry_run=False)
    assert abs(said["kept_until"] - time.time() - 86_400) < 60
    assert stages(cache) == set()
    assert stages(cache, OTHER) == {Stage.FRAMES, Stage.VISUAL}
    assert found_by_words(client, cache) == 0
    (listed,) = deletions(client, cache)
    assert listed["deletion_id"] == said["deletion_id"]
    assert (listed["files"], listed["bytes"]) == (1, said["bytes"])

    undone = undo(client, cache, said["deletion_id"])
    assert (undone["restored"], undone["replaced"], undone["lost"]) == (4, 0, 0)
    assert stages(cache) == STAGES
    assert found_by_words(client, cache) == 1
    assert deletions(client, cache) == []


def test_all_data_of_a_model_goes_from_every_file_and_no_other(
    client: Client, cache: CacheDir
) -> None:
    said = delete(client, cache, model_key=MODEL, dry_run=False)
    assert said["files"] == 2
    assert stages(cache) == STAGES - {Stage.VISUAL}
    assert stages(cache, OTHER) == {Stage.FRAMES}
    assert undo(client, cache, said["deletion_id"])["restored"] == 2


def test_of_a_model_only_the_data_of_named_files_goes(
    client: Client, cache: CacheDir, media: Path
) -> None:
    files = [str(media / "other.mp4")]
    assert delete(client, cache, model_key=MODEL, media_paths=files, dry_run=False)["files"] == 1
    assert Stage.VISUAL in stages(cache)
    assert stages(cache, OTHER) == {Stage.FRAMES}


def test_what_is_deleted_is_loaded_no_more(client: Client, cache: CacheDir, media: Path) -> None:
    body = {"cache_dir": str(cache.root)}
    paths = [str(media / "both.mp4"), str(media / "other.mp4")]
    assert client.ok("/analysis-data/load", **body)["visual_files"] == 2
    delete(client, cache, model_key=MODEL, media_paths=paths[:1], dry_run=False)
    assert client.ok("/analysis-data/load", **body)["visual_files"] == 1
    said = client.ok("/analysis-data/load-for-media", **body, media_paths=paths)
    assert (said["visual_files"], said["missing"]) == (1, paths[:1])


def test_what_was_made_anew_meanwhile_stays_as_it_is_now(
    client: Client, cache: CacheDir, media: Path
) -> None:
    said = delete(client, cache, model_key=MODEL, dry_run=False)
    publish(cache, OTHER, random_units(9, 384, 3), model=MODEL, path=media / "other.mp4")
    undone = undo(client, cache, said["deletion_id"])
    assert (undone["restored"], undone["replaced"]) == (1, 1)
    manifest = cache.manifest(OTHER, Stage.VISUAL, MODEL)
    assert manifest is not None
    assert manifest.rows == 9


def test_after_a_day_the_data_are_collected_and_the_undo_says_so(
    client: Client, cache: CacheDir
) -> None:
    said = delete(client, cache, model_key=MODEL, dry_run=False)
    folder = cache.media_dir(OTHER).path
    data = list(folder.glob("visual.*.npy"))
    assert data  # until then they lie there
    a_day_ago = time.time() - 90_000
    for path in (*folder.iterdir(), *(cache.root / "deletions").path.iterdir()):
        os.utime(path, (a_day_ago, a_day_ago))
    publishing.collect(cache.root, lambda _lease: False)
    assert not any(path.exists() for path in data)
    assert not list(folder.glob("deleted.*"))
    assert stages(cache, OTHER) == {Stage.FRAMES}
    assert deletions(client, cache) == []
    refused = client.post(
        "/analysis-data/deletions/undo",
        cache_dir=str(cache.root),
        deletion_id=said["deletion_id"],
    )
    assert refused.status_code == 404
    assert "could be undone" in refused.json()["message"]


def test_a_part_that_is_collected_is_counted_as_lost(client: Client, cache: CacheDir) -> None:
    said = delete(client, cache, model_key=MODEL, dry_run=False)
    for path in cache.media_dir(OTHER).path.glob("deleted.*"):
        path.unlink()
    undone = undo(client, cache, said["deletion_id"])
    assert (undone["restored"], undone["lost"]) == (1, 1)
    assert "analyze these files again" in undone["message"]


def test_a_deletion_that_was_interrupted_is_listed_and_undone(
    client: Client, cache: CacheDir
) -> None:
    said = delete(client, cache, model_key=MODEL, dry_run=False)
    (hidden,) = cache.media_dir(OTHER).path.glob("deleted.*")
    hidden.rename(hidden.with_name(hidden.name.split(".", 2)[2]))  # as if it never got so far
    (listed,) = deletions(client, cache)
    undone = undo(client, cache, listed["deletion_id"])
    assert (undone["restored"], undone["lost"]) == (2, 0)
    assert said["deletion_id"] == listed["deletion_id"]


def test_what_is_not_known_is_said_in_its_own_slot(
    client: Client, cache: CacheDir, media: Path
) -> None:
    paths = [str(media / "nowhere.mp4"), r"Z:\x.mp4", ""]
    said = delete(client, cache, media_paths=paths, dry_run=False)
    assert (said["files"], said["deletion_id"]) == (0, None)
    assert {failure["media_path"] for failure in said["failed"]} == set(paths)
    assert all(failure["error"] for failure in said["failed"])


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "media_paths, a model_key, or both"),
        ({"model_key": "conse-lite9"}, 404, MODEL),
        ({"model_key": ""}, 400, "model_key"),
    ],
)
def test_bad_input_names_the_field_and_what_is_possible(
    client: Client, cache: CacheDir, body: dict[str, Any], status: int, words: str
) -> None:
    refused = client.post("/analysis-data/delete", cache_dir=str(cache.root), **body)
    assert refused.status_code == status
    assert words in refused.json()["message"]


def test_a_deletion_id_leads_nowhere_else(client: Client, cache: CacheDir) -> None:
    body = {"cache_dir": str(cache.root), "deletion_id": "../rushes"}
    assert client.post("/analysis-data/deletions/undo", **body).status_code == 404


def test_a_record_that_names_itself_otherwise_is_none(client: Client, cache: CacheDir) -> None:
    said = delete(client, cache, model_key=MODEL, dry_run=False)
    folder = cache.root.path / "deletions"
    (record,) = folder.iterdir()
    precious = cache.root.path / "precious.json"
    precious.write_text("{}")
    hostile = json.loads(record.read_text()) | {"id": "../precious", "manifests": []}
    (folder / f"{'a' * 16}.json").write_text(json.dumps(hostile))
    body = {"cache_dir": str(cache.root), "deletion_id": "a" * 16}
    assert client.post("/analysis-data/deletions/undo", **body).status_code == 404
    assert precious.exists()
    assert [each["deletion_id"] for each in deletions(client, cache)] == [said["deletion_id"]]


def test_what_others_put_into_the_folder_of_records_stays_and_hinders_nothing(
    client: Client, cache: CacheDir
) -> None:
    delete(client, cache, model_key=MODEL, dry_run=False)
    folder = cache.root.path / "deletions"
    (folder / "@eaDir").mkdir()
    (folder / "notes.txt").write_text("ours")
    left = cache.media_dir(OTHER).path / "visual.old.00000000.npy"
    left.write_bytes(b"replaced")
    a_day_ago = time.time() - 90_000
    for path in (*folder.iterdir(), left):
        os.utime(path, (a_day_ago, a_day_ago))
    publishing.collect(cache.root, lambda _lease: False)
    assert not left.exists()
    assert {path.name for path in folder.iterdir()} == {"@eaDir", "notes.txt"}


def deletions(client: Client, cache: CacheDir) -> list[dict[str, Any]]:
    answer = client.http.get("/analysis-data/deletions", params={"cache_dir": str(cache.root)})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["deletions"])


def undo(client: Client, cache: CacheDir, deletion_id: str) -> dict[str, Any]:
    body = {"cache_dir": str(cache.root), "deletion_id": deletion_id}
    return dict(client.ok("/analysis-data/deletions/undo", **body))
