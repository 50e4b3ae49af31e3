"""Keeps the voices of a Collection grouped while files are analyzed, and when all is grouped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from shared.cache import speakers
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import SpeakerTurn, SpeakerTurns
from shared.cache.transcripts import LONGEST_S
from shared.errors import CacheError
from shared.people.clustering import Clustering
from shared.people.collection import Collection
from shared.people.enrolment import NOBODY
from shared.people.state import PeopleState
from shared.process import traces
from workers.recluster.voice_grouping import FileVoices, HeardVoice, regrouped

log = logging.getLogger(__name__)

_TRIES = 50  # somebody publishes each time that we do not
_EXCERPT_S = 10.0


@traces.stage("group voices")
def group_voices(
    cache: CacheDir, collection: Collection, hashes: Iterable[str], checkpoint: Callable[[], None]
) -> None:
    """Have the voices of these MediaFiles grouped as they are now; all others stay as they are.

    The first grouping takes all members, which an earlier version has left. Files of which nothing
    tells who speaks take no part. Raises CacheError, and what `checkpoint` does.
    """
    wanted = set(hashes)
    read: dict[str, FileVoices] = {}  # by name of the artefact
    for _ in range(_TRIES):
        number = collection.voice_files.next_number()
        old = collection.voices()
        if not old.number:
            wanted.update(collection.members().hashes)
        known = dict(zip(old.media, old.media_files, strict=True))
        news = list(_news(cache, sorted(wanted), known, read, checkpoint))
        if not news:
            return
        clustering = collection.clustering() or Clustering.empty()
        state = PeopleState.of(clustering, collection.edits(), NOBODY, old)
        found = replace(regrouped(state, news, checkpoint), number=number)
        if collection.voice_files.publish(found):
            log.info("%s: %d voices", collection.name, len(found))
            return
        checkpoint()
    raise CacheError(
        f"The voices of {collection.name} could not be published: others are at it all the time."
    )


def _news(
    cache: CacheDir,
    hashes: Iterable[str],
    known: dict[str, str],
    read: dict[str, FileVoices],
    checkpoint: Callable[[], None],
) -> Iterable[FileVoices]:
    """Of these MediaFiles those whose voices are not grouped as they are now."""
    for hash_str in hashes:
        checkpoint()
        manifest = speakers.newest(cache, hash_str)
        name = manifest.file if manifest else ""
        if name == known.get(hash_str, ""):
            continue
        if manifest is None:
            yield FileVoices(hash_str)
            continue
        if name not in read:
            try:
                read[name] = _voices_of(hash_str, name, speakers.read(cache, hash_str, manifest))
            except CacheError as error:
                log.warning("The voices of %s stay as they were: %s", hash_str, error.message)
                continue
        yield read[name]


def _voices_of(hash_str: str, name: str, found: SpeakerTurns) -> FileVoices:
    excerpts = _excerpts(found)
    voices = [
        HeardVoice(
            speaker.id,
            number,
            speaker.row,
            min(max(speaker.seconds, 0.0), LONGEST_S),
            excerpts[number],
        )
        for number, speaker in enumerate(found.speakers)
        if speaker.row  # else the person was deleted
    ]
    return FileVoices(hash_str, name, found.model, voices)


def _excerpts(found: SpeakerTurns) -> list[tuple[float, float]]:
    """What is played of each: the longest turn of which there is no doubt, if there is one."""
    best: list[SpeakerTurn | None] = [None] * len(found.speakers)
    for turn in found.turns:
        known = best[turn.speaker]
        if known is None or _rank(turn) > _rank(known):
            best[turn.speaker] = turn
    return [
        (turn.start, min(turn.end, turn.start + _EXCERPT_S)) if turn else (0.0, 0.0)
        for turn in best
    ]


def _rank(turn: SpeakerTurn) -> tuple[bool, float]:
    return not turn.doubtful, turn.end - turn.start
