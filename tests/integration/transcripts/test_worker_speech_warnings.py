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
from tests.support.media.media import truncate
from tests.support.media.sounds import SoundEncoding, tone, write_sounds


def test_text_that_was_heard_in_silence_is_named_in_the_transcript(desk: Desk) -> None:
    path = words(desk, "voice.wav", "Alpha", "bravo")
    desk.worker_that_hears_tones(invents="Kilo lima mike.")
    assert errors(analyzed(desk, path)) == {}
    assert texts(desk, path) == ["Alpha bravo"]
    (warning,) = transcript(desk, path).warnings
    assert (warning.doubt, warning.action, warning.text) == (
        Doubt.NO_SPEECH,
        "dropped",
        "Kilo lima mike.",
    )
    shown = manifest(desk, path)
    assert shown is not None
    assert shown.warnings == (), "the file itself is whole"


def test_a_file_that_ends_early_is_named_in_the_manifest(desk: Desk) -> None:
    how = SoundEncoding(container_options={"movflags": "faststart"})
    path = write_sounds(desk.folder / "voice.m4a", [tone(12, 300)], encoding=how)
    truncate(path, 0.6)
    desk.worker_that_hears_tones()
    assert errors(analyzed(desk, path)) == {}
    shown = manifest(desk, path)
    assert shown is not None
    assert "The sound ends at 7 s of 12 s; the file may be incomplete." in shown.warnings
