"""A talk of two, whom a camera shows in turn, as analysis would have told and grouped them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from shared.cache.cache_dir import CacheDir
from tests.support.console.many_people import colour_crop
from tests.support.media.by_path import hash_media
from tests.support.people.people_data import Seen, make_collection
from tests.support.people.voice_groupings import voice_grouping
from tests.support.search.talking import say
from tests.support.search.transcribed import captioned, publish_captions

TALK = "Talk"  # the collection
WARNING = "The sound hardly ever pauses: many speak at once."
SUBTITLE = "Haben Sie den Leuchtturm gesehen?"
_FACES = (11, 12)  # ids of clusters
_VOICES = (501, 502)
_TURN_S = 6
_DOUBTFUL = 3  # of the lines
_LINES = (
    "Did you see the lighthouse this morning?",
    "No, I have slept for too long.",
    "The keeper waved a yellow flag.",
    "Was he alone?",
    "His dog barked at the harbour.",
    "Then the ship is late again.",
)


def talk_of_two(folder: Path, film: Path) -> Path:
    """Of a film that is a few seconds long, or longer; the cache folder."""
    cache = CacheDir.open(folder / "cache", create=True)
    hash_str, found = hash_media(str(film)), film.stat()
    cache.remember_path(hash_str, str(film), found.st_size, found.st_mtime_ns)
    starts = [n * _TURN_S for n in range(len(_LINES))]
    said = [(n % 2, start, _LINES[n], start + _TURN_S) for n, start in enumerate(starts)]
    manifest = say(cache, hash_str, *said, ids=(1, 2), doubtful=(_DOUBTFUL,), warnings=(WARNING,))
    publish_captions(cache, hash_str, captioned((0, SUBTITLE, 6), language="deu"))
    seen = [
        Seen(start + second, 2 + 4 * (n % 2), _FACES[n % 2])
        for n, start in enumerate(starts)
        for second in range(_TURN_S)
    ]
    people = make_collection(
        cache, TALK, {hash_str: seen}, crop=lambda _, row: colour_crop(40 * (row // _TURN_S % 2))
    )
    voices = voice_grouping(_VOICES, media=[hash_str])
    excerpts = np.array([(0.0, 6.0), (6.0, 12.0)], np.float32)
    seconds = np.array([18.0, 18.0], np.float32)
    made = replace(voices, media_files=(manifest.file,), excerpts=excerpts, seconds=seconds)
    assert people.voice_files.publish(made)
    return folder / "cache"
