"""The real analysis worker and the default speech model hear names that they are told of."""

from __future__ import annotations

from typing import Any

import pytest

from shared.cache import transcripts
from shared.cache.cache_dir import CacheDir
from shared.domain import ProgressType, Stage
from shared.people.collection import Collection
from shared.people.edits import ClusterNaming, Names
from shared.people.enrolment import Enrolment, References
from tests.support.analysis.desk import SPEECH_MODEL, Desk
from tests.support.analysis.desk_fixtures import worker_of_file
from tests.support.fake_models import said
from tests.support.media.by_path import hash_media
from tests.support.media.sounds import write_sounds
from tests.support.media.speech import spoken
from tests.support.people.clusterings import clustering
from tests.support.skip_or_fail import fetched_or_skipped

AUDIO = (ProgressType.AUDIO,)
first = worker_of_file(Desk.worker_that_hears_tones)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ({}, ("Wren",)),
        ({"vocabulary": ("Tarrowby",)}, ("Wren", "Tarrowby")),
        ({"uses_vocabulary": False}, ()),
    ],
)
def test_the_model_is_given_names_and_words_and_nothing_of_the_path(
    shared: Desk, asked: dict[str, Any], given: tuple[str, ...]
) -> None:
    folder = shared.folder / "contract media" / "agents"
    folder.mkdir(parents=True)
    pcm = said([(1, "charlie"), (2, "delta.")], 6)
    path = write_sounds(folder / "voice.wav", [pcm], rate=16_000)
    cache = CacheDir.open(shared.cache, create=True)
    References(cache.root).add(Enrolment("Wren", ()))
    shared.wait_final(shared.submit([path], wants=AUDIO, speech_model="tones", **asked))
    found = cache.manifest(hash_media(str(path)), Stage.TRANSCRIPT, "tones")
    assert found is not None
    assert (found.vocabulary, transcripts.has_folder_names(found)) == (given, False)


def test_names_of_people_and_given_words_are_spelt_as_they_are(desk: Desk) -> None:
    with fetched_or_skipped():
        speech = spoken("Saoirse Quinlan and Tomasz Kowalczyk drove down to Kestrelhaven.", "en-gb")
    cache = CacheDir.open(desk.cache, create=True)
    cast = Collection.open(cache.root, "Cast", create=True)
    cast.publish(clustering([1, 1]))
    cast.append(Names((ClusterNaming(1, "Saoirse Quinlan"),)))
    path = write_sounds(desk.folder / "take.wav", [speech.pcm], rate=16_000)
    desk.worker()
    told = {"vocabulary": ("Tomasz Kowalczyk", "Kestrelhaven"), "people_of": "Cast"}
    record = desk.wait_final(
        desk.submit([path], wants=AUDIO, speech_model=SPEECH_MODEL, **told), 90
    )
    assert not record.failed_files
    hash_str = hash_media(str(path))
    manifest = cache.manifest(hash_str, Stage.TRANSCRIPT, SPEECH_MODEL)
    assert manifest is not None
    text = " ".join(part.text for part in transcripts.read(cache, hash_str, manifest).segments)
    for name in ("Saoirse Quinlan", "Kowalczyk", "Kestrelhaven"):
        assert name in text
