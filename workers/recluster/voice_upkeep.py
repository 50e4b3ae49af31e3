"""Keeps the voices of a Collection grouped while files are analyzed, and when all is grouped."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import msgspec
import numpy as np

from shared.cache import cache_files, speakers
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import SpeakerTurns
from shared.cache.transcripts import LONGEST_S
from shared.domain import Manifest, Stage
from shared.errors import CacheError, RushesError
from shared.models import voice_model
from shared.people.addition_log import AdditionLog
from shared.people.clustering import SAMPLES, Clustering, VoiceGrouping
from shared.people.collection import Collection
from shared.people.enrolment import NOBODY, References, enrolled_id
from shared.people.grouping_files import VOICES
from shared.people.numbered_files import stamps
from shared.people.state import PeopleState
from shared.process import traces
from workers.context import Context
from workers.recluster.voice_grouping import FileVoices, HeardVoice, regrouped


def without_faces(cache: CacheDir, collection: Collection) -> Clustering:
    """The ids that faces have, without the faces: those of the newest clustering.

    As retired count also the ids that faces may get again, and those of enrolled people.
    """
    found = collection.clustering() or Clustering.empty()
    ids, homes = found.cluster_ids, found.memory.homes
    enrolled = [enrolled_id(name) for name in References(cache.root).names()]
    used = np.concatenate([found.retired, homes[homes > 0], np.array(enrolled, np.int32)])
    return replace(
        Clustering.empty(),
        number=found.number,
        cluster_ids=ids,
        means=np.zeros((len(ids), 0), np.float32),
        sizes=np.zeros(len(ids), np.int32),
        samples=np.full((len(ids), SAMPLES), -1, np.int32),
        retired=np.setdiff1d(used, ids).astype(np.int32),
    )


log = logging.getLogger(__name__)

_EVERY_S = 30.0  # while more Items of the Task follow
_TRIES = 50  # somebody publishes each time that we do not
_EXCERPT_S = 10.0
_MANIFESTS = tuple(f"manifest.{stage}." for stage in (Stage.TRANSCRIPT, Stage.SPEAKERS))


def keep_voices_grouped(
    context: Context, cache: CacheDir, collection: Collection, hashes: Iterable[str]
) -> None:
    """Group the voices of these MediaFiles, and what others have left meanwhile.

    The last Item of a Task always does; earlier ones now and then, as with faces. Files of which
    nothing ever told who speaks cost nothing. Raises CacheError, and as `checkpoint` does.
    """
    told = _told(cache, hashes, context.checkpoint)
    with cache_files.clear_errors(cache.root):
        (grouped,) = stamps(collection.folder, VOICES.name)
    waiting = _waiting(cache, collection)
    if not told and not (grouped and waiting.names()):
        return
    age_s = time.time() - grouped[0].mtime_ns / 1e9 if grouped else _EVERY_S  # by two clocks
    if (abs(age_s) < _EVERY_S or not told) and context.others_will_follow():
        if told:
            waiting.append(_VoicesWait(told))
        return
    try:
        group_voices(cache, collection, told, context.checkpoint)
    except RushesError:
        if told:
            waiting.append(_VoicesWait(told))
        raise


@traces.stage("group voices")
def group_voices(
    cache: CacheDir, collection: Collection, hashes: Iterable[str], checkpoint: Callable[[], None]
) -> None:
    """Have the voices of these MediaFiles grouped as they are now; all others stay as they are.

    What waits is taken, too, and with the first grouping all members, which an earlier version has
    left. Files of which nothing tells who speaks take no part. Raises CacheError, and what
    `checkpoint` does.
    """
    wanted = set(hashes)
    waiting = _waiting(cache, collection)
    read: dict[str, FileVoices] = {}  # by name of the artefact
    holds_former = False
    for _ in range(_TRIES):
        number = collection.voice_files.next_number()
        old = collection.voices()
        if not old.number:
            wanted.update(collection.members().hashes)
        known = _names(old)
        left = {h: file for added in waiting.read() for h, file in added.what.files.items()}
        wanted.update(h for h, file in left.items() if file != known.get(h, ""))
        news = list(_news(cache, wanted, known, read, checkpoint))
        if not news:
            break
        state = PeopleState.of(without_faces(cache, collection), collection.edits(), NOBODY, old)
        found = replace(regrouped(state, news, checkpoint), number=number)
        if collection.voice_files.publish(found):
            log.info("%s: %d voices", collection.name, len(found))
            # A person may have been deleted after the files were read, and before this was there.
            wanted = {file.hash_str for file in news}
            if not any(_news(cache, wanted, _names(found), read, checkpoint)):
                break
            holds_former = True
        checkpoint()
    else:
        raise CacheError(
            f"The voices of {collection.name} could not be published: others are at it all the "
            "time."
        )
    if holds_former:
        collection.voice_files.rewrite(lambda same: same)  # nothing of before is kept


def _told(cache: CacheDir, hashes: Iterable[str], checkpoint: Callable[[], None]) -> dict[str, str]:
    """Names of the artefacts that tell who speaks; "" of files of which none counts any more."""
    told = {}
    for hash_str in sorted(set(hashes)):
        checkpoint()
        with contextlib.suppress(CacheError):  # looked at by the next grouping of everything
            manifests = _manifests(cache, hash_str)
            if any(manifest.stage is Stage.SPEAKERS for manifest in manifests):
                newest = speakers.newest_of(manifests)
                told[hash_str] = newest.file if newest else ""
    return told


def _names(grouping: VoiceGrouping) -> dict[str, str]:
    return dict(zip(grouping.media, grouping.media_files, strict=True))


def _news(
    cache: CacheDir,
    hashes: Iterable[str],
    known: Mapping[str, str],
    read: dict[str, FileVoices],
    checkpoint: Callable[[], None],
) -> Iterator[FileVoices]:
    """Of these MediaFiles those whose voices are not grouped as they are now.

    One that cannot be read, or is by another model of voices, stays as it was.
    """
    for hash_str in sorted(hashes):
        checkpoint()
        try:
            manifest = speakers.newest_of(_manifests(cache, hash_str))
            name = manifest.file if manifest else ""
            if name == known.get(hash_str, ""):
                continue
            if manifest is None:
                yield FileVoices(hash_str)
                continue
            if name not in read:
                read[name] = _read(cache, hash_str, manifest)
        except CacheError as error:
            log.warning("The voices of %s stay as they were: %s", hash_str, error.message)
            continue
        yield read[name]


def _manifests(cache: CacheDir, hash_str: str) -> list[Manifest]:
    """Manifests of a file's transcripts and speakers. Raises CacheError for an unreadable one."""
    found = []
    with (
        cache_files.clear_errors(cache.root),
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        cache_files.folder(cache.media_dir(hash_str)) as folder,
    ):
        for _, manifest in cache_files.manifests_in(folder, Manifest, _is_of_speech):
            if isinstance(manifest, CacheError):
                raise manifest
            found.append(manifest)
    return found


def _is_of_speech(name: str) -> bool:
    return name.startswith(_MANIFESTS) and cache_files.is_manifest(name)


def _read(cache: CacheDir, hash_str: str, manifest: Manifest) -> FileVoices:
    """Who speaks in a file. Raises CacheError, also for what another model of voices made."""
    found = speakers.read(cache, hash_str, manifest)
    if found.model != voice_model.KEY:
        raise CacheError(
            f"{manifest.file} is by the model {found.model[:80]!r}, those here are by "
            f"{voice_model.KEY}; analyze the file again."
        )
    excerpts = _excerpts(found)
    voices = [
        HeardVoice(
            speaker.id,
            number,
            np.array(speaker.row, np.float32),
            min(max(speaker.seconds, 0.0), LONGEST_S),
            excerpts[number],
        )
        for number, speaker in enumerate(found.speakers)
        if speaker.row  # else the person was deleted
    ]
    deleted = frozenset(speaker.id for speaker in found.speakers if not speaker.row)
    return FileVoices(hash_str, manifest.file, voices, deleted)


def _excerpts(found: SpeakerTurns) -> list[tuple[float, float]]:
    """What is played of each: the longest turn of which there is no doubt, if there is one."""
    excerpts = [(0.0, 0.0)] * len(found.speakers)
    # The last one that is written counts; of equal ones the first.
    for turn in sorted(reversed(found.turns), key=lambda t: (not t.doubtful, t.end - t.start)):
        excerpts[turn.speaker] = turn.start, min(turn.end, turn.start + _EXCERPT_S)
    return excerpts


class _VoicesWait(msgspec.Struct, frozen=True):
    files: dict[str, str]  # hash_str -> name of the speakers artefact, "": none counts any more


def _waiting(cache: CacheDir, collection: Collection) -> AdditionLog[_VoicesWait]:
    """What Items have left to later ones. It holds no voices, and stays when they are grouped."""
    return AdditionLog(collection.folder / "waiting", _VoicesWait, cache.root)
