"""With the speakers of a file go its voices, from all collections; names stay, and come back."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from api.deleting.data_routes import delete as delete_results
from api.deleting.data_routes import forget_voices, published
from shared.cache.speakers import Speaker, SpeakerTurn, SpeakerTurns
from shared.domain import Stage
from shared.errors import CacheError
from shared.people.collection import Collection
from shared.people.numbered_files import NumberedFiles
from tests.support.people.people_desk import NAME, PeopleDesk
from workers.recluster.voice_upkeep import group_voices

ROW = (0.59375, 0.804688, *[0.0] * 254)


@pytest.fixture
def collections(people: PeopleDesk) -> list[Collection]:
    """Two, each with a voice in each of two files."""
    hashes = [people.hash_of("a.mp4"), people.hash_of("b.mp4")]
    for hash_str in hashes:
        found = SpeakerTurns(
            model="resemblyzer", speakers=(Speaker(4.0, ROW, 7),), turns=(SpeakerTurn(0, 4, 0),)
        )
        with people.cache.draft(hash_str, Stage.SPEAKERS, "tones", "json", "w") as draft:
            draft.file.write(msgspec.json.encode(found))
            draft.publish(rows=1, task_id="t", worker="w")
    made = [Collection.open(people.cache.root, name, create=True) for name in (NAME, "Two")]
    for collection in made:
        group_voices(people.cache, collection, hashes, lambda: None)
    return made


def delete(people: PeopleDesk, **body: Any) -> dict[str, Any]:
    cache_dir = people.body["cache_dir"]
    return dict(people.client.ok("/analysis-data/delete", cache_dir=cache_dir, **body))


def rows_in(collection: Collection) -> int:
    """How many voices all groupings of the collection have rows of, the former ones too."""
    files = collection.folder.path.glob("voices-*.npz")
    return sum(int(np.load(file)["rows"].any(axis=1).sum()) for file in files)


def test_voices_leave_all_collections_and_are_back_after_an_undo(
    people: PeopleDesk, collections: list[Collection]
) -> None:
    path = str(people.media["a.mp4"])
    delete(people, media_paths=[path])
    delete(people, media_paths=[path], model_key="clip", dry_run=False)
    assert [one.voices().is_there.tolist() for one in collections] == [[True] * 2] * 2
    labels = [one.voices().labels.tolist() for one in collections]
    said = delete(people, media_paths=[path], model_key="tones", dry_run=False)
    at = list(collections[0].voices().media).index(people.hash_of("a.mp4"))
    for one in collections:
        assert one.voices().is_there.tolist() == [number != at for number in range(2)]
        assert rows_in(one) == 1, "of the other file; no former grouping is left"
    body = {"cache_dir": people.body["cache_dir"], "deletion_id": said["deletion_id"]}
    people.client.ok("/analysis-data/deletions/undo", **body)
    for one in collections:
        group_voices(people.cache, one, [people.hash_of("a.mp4")], lambda: None)
        assert one.voices().is_there.all()
    assert [one.voices().labels.tolist() for one in collections] == labels


def test_an_interrupted_deletion_is_finished_by_naming_the_file_again(
    people: PeopleDesk, collections: list[Collection]
) -> None:
    manifest = people.cache.manifest(people.hash_of("b.mp4"), Stage.SPEAKERS, "tones")
    assert manifest is not None
    media = people.cache.media_dir(people.hash_of("b.mp4")).path
    (media / "manifest.speakers.tones.json").unlink()
    delete(people, media_paths=[str(people.media["b.mp4"])], model_key="tones", dry_run=False)
    assert [rows_in(one) for one in collections] == [1, 1]


def test_a_collection_that_cannot_be_changed_is_named_and_hinders_no_other(
    people: PeopleDesk, collections: list[Collection], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = NumberedFiles.publish

    def fails(files: NumberedFiles[Any], grouping: Any) -> bool:
        if files._folder == collections[0].folder:
            raise CacheError("The disk is full.")
        return publish(files, grouping)

    monkeypatch.setattr(NumberedFiles, "publish", fails)
    hashes = {people.hash_of("a.mp4"), people.hash_of("b.mp4")}
    for hash_str in hashes:
        delete_results(people.cache, published(people.cache, hash_str, "tones"), "Edit 3")
    assert forget_voices(people.cache, hashes, hashes) == [
        f"The collection {NAME!r} keeps their voices until it is grouped anew: The disk is full."
    ]
    assert [rows_in(one) for one in collections] == [2, 0]
