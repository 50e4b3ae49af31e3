"""What the real analysis worker doubts and misses in sound is published with the transcript."""

from __future__ import annotations

from shared.cache.transcripts import Doubt
from tests.integration.transcripts.test_worker_speech import (
    analyzed,
    errors,
    manifest,
    texts,
    transcript,
    words,
)
from tests.support.analysis.desk import Desk
from tests.support.analysis.desk_fixtures import worker_of_file
from tests.support.media.media import truncate
from tests.support.media.sounds import SoundEncoding, tone, write_sounds


def start(desk: Desk) -> None:
    desk.worker_that_hears_tones(invents="Kilo lima mike.")


first = worker_of_file(start)


def test_text_that_was_heard_in_silence_is_named_in_the_transcript(shared: Desk) -> None:
    path = words(shared, "voice.wav", "Alpha", "bravo")
    assert errors(analyzed(shared, path)) == {}
    assert texts(shared, path) == ["Alpha bravo"]
    (warning,) = transcript(shared, path).warnings
    assert (warning.doubt, warning.action, warning.text) == (
        Doubt.NO_SPEECH,
        "dropped",
        "Kilo lima mike.",
    )
    shown = manifest(shared, path)
    assert shown is not None
    assert shown.warnings == (), "the file itself is whole"


def test_a_file_that_ends_early_is_named_in_the_manifest(shared: Desk) -> None:
    how = SoundEncoding(container_options={"movflags": "faststart"})
    path = write_sounds(shared.folder / "voice.m4a", [tone(12, 300)], encoding=how)
    truncate(path, 0.6)
    assert errors(analyzed(shared, path)) == {}
    shown = manifest(shared, path)
    assert shown is not None
    assert "The sound ends at 7 s of 12 s; the file may be incomplete." in shown.warnings
