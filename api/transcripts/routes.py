"""What was said in files, from the transcripts in a cache folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import msgspec

from api.http.answers import counted
from api.http.concurrency import map_concurrently, own_slot
from api.http.endpoint import Call, Endpoint
from api.models.model_keys import active_key
from api.people.people import PeopleServices
from api.people.voices.speaking import FolderVoices, SpokenPerson
from api.transcripts.answers import (
    Transcription,
    Transcriptions,
    TranscriptVoice,
    TranscriptWord,
)
from api.transcripts.bodies import TranscriptionsBody
from api.transcripts.captions import RoomInAnswer, add_captions
from shared.cache import cache_files, speakers, transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import Speaker
from shared.cache.spoken_by import by_speaker, speaker_label
from shared.cache.transcripts import Segment, SpokenText, Transcript
from shared.domain import Manifest, ModelKind
from shared.errors import CacheError, FolderHangs, MediaError, NotAllowed, UnusablePath
from shared.models.languages import language_name
from shared.rights import KeyScope


class _Encoded(msgspec.Struct):
    """`Transcriptions` whose slots are JSON already.

    A transcript with its words takes several times the memory of its JSON, so each one is let go
    before the next few are read.
    """

    transcriptions: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class _RequestedFile:
    """A slot of the request: the file that was found, or why there is none."""

    client_path: str
    path: str = ""
    hash_str: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _TranscriptSource:
    cache: CacheDir
    preferred_model: str
    body: TranscriptionsBody
    voices: FolderVoices | None  # None: nobody asks who speaks
    room: RoomInAnswer
    without_speakers: set[str] = field(default_factory=set)  # transcripts, by `hash_str`


async def get_transcriptions(
    call: Call[TranscriptionsBody], services: PeopleServices
) -> Transcriptions | _Encoded:
    """What was said in files.

    `segments` is null for a file that is not transcribed and `[]` for one in which nobody
    speaks. A file that is missing, outside the allowed roots or whose transcript is damaged has
    `error` in its own slot. A file that has gone since it was transcribed is still known by its
    path.
    """
    cache_dir, run = services.paths.cache(call.body.cache_dir), services.folders.run
    source, asked = await run(cache_dir, _found, services, call.body)
    call.warnings.extend(source.voices.warnings if source.voices else ())
    slots = await map_concurrently(lambda slot: run(cache_dir, _slot, source, slot), asked)
    if source.without_speakers:
        count = counted(len(source.without_speakers), "transcript")
        call.warnings.append(
            f"speakers: this answer has no speaker labels for {count}. Analyze the speech of "
            "these files again, with `speakers`."
        )
    return _Encoded(slots)


def _found(
    services: PeopleServices, body: TranscriptionsBody
) -> tuple[_TranscriptSource, list[_RequestedFile]]:
    cache_dir = services.paths.cache(body.cache_dir)
    view = services.caches.open(cache_dir)
    voices = services.people.voices(view.cache) if body.speakers else None
    model = active_key(services, ModelKind.SPEECH)
    source = _TranscriptSource(view.cache, model, body, voices, RoomInAnswer())
    asked = [_allowed(services, path, n) for n, path in enumerate(body.media_paths)]
    paths = list(dict.fromkeys(slot.path for slot in asked if slot.path))
    hashes = dict(zip(paths, services.caches.hashes_for(view, paths), strict=True))
    return source, [_known(services, slot, hashes.get(slot.path)) for slot in asked]


def _allowed(services: PeopleServices, client_path: str, number: int) -> _RequestedFile:
    try:
        return _RequestedFile(
            client_path, services.paths.media(client_path, f"media_paths[{number}]")
        )
    except (NotAllowed, UnusablePath) as error:
        return _RequestedFile(client_path, error=error.message)


def _known(services: PeopleServices, slot: _RequestedFile, hash_str: str | None) -> _RequestedFile:
    """The slot with its file's id; a file that was never seen and cannot be read says why."""
    if slot.path and hash_str is None:
        try:
            hash_str = services.folders.call(
                os.path.dirname(slot.path), lambda: _hash(services, slot.path)
            )
        except (MediaError, NotAllowed, FolderHangs) as error:
            return _RequestedFile(slot.client_path, slot.path, error=error.message)
    return _RequestedFile(slot.client_path, slot.path, hash_str, slot.error)


def _hash(services: PeopleServices, path: str) -> str:
    with services.paths.open_media(path) as file:
        return services.caches.hashes.hash_of(file)


def _slot(source: _TranscriptSource, asked: _RequestedFile) -> msgspec.Raw:
    answer = Transcription(
        media_path=asked.client_path,
        hash_str=asked.hash_str,
        language=None,
        segments=None,
        language_probability=None,
        model_key=None,
        error=asked.error,
    )
    if asked.hash_str:
        with own_slot(asked.path) as failure:
            _fill(answer, source, asked.hash_str)
        answer.error = failure.reason
        if source.body.captions:
            with own_slot(asked.path) as failure:
                add_captions(answer, source.cache, asked.hash_str, source.room)
            answer.error = answer.error or failure.reason
    return msgspec.Raw(msgspec.json.encode(answer))


def _fill(answer: Transcription, source: _TranscriptSource, hash_str: str) -> None:
    """Add the transcript, if there is one. Raises CacheError where it cannot be read."""
    with cache_files.clear_errors(source.cache.root):
        manifest = transcripts.find(source.cache, hash_str, source.preferred_model)
    if manifest is None:
        return
    body, found = source.body, _read(source, hash_str, manifest)
    if source.voices is not None and isinstance(found, Transcript):
        people = source.voices.of(hash_str)
        found = _by_speaker(answer, source.cache, hash_str, manifest, found, people)
        if answer.speakers is None and found.segments:
            source.without_speakers.add(hash_str)
    answer.language = language_name(found.language) if found.language else None
    answer.language_probability = found.language_probability
    answer.model_key = manifest.model
    answer.segments = [(segment.start, segment.text, segment.end) for segment in found.segments]
    if manifest.audio_streams == "each":
        answer.streams = [segment.stream for segment in found.segments]
    if isinstance(found, Transcript):
        if body.words or body.doubtful:
            answer.words = [_words(segment, marked=body.doubtful) for segment in found.segments]
        if body.warnings:
            answer.warnings = list(found.warnings)


def _by_speaker(
    answer: Transcription,
    cache: CacheDir,
    hash_str: str,
    manifest: Manifest,
    found: Transcript,
    people: Mapping[int, SpokenPerson],
) -> Transcript:
    """The transcript whose segments break where another one speaks, if that was told apart.

    `people`: who speaks, by the ids of their voices.
    """
    told = speakers.find(cache, hash_str, manifest)
    if told is None:
        return found
    with _with_a_cure():
        said_by = speakers.read(cache, hash_str, told)
    parts = by_speaker(found.segments, said_by.turns)
    voices = [
        _voice(number, speaker, people.get(speaker.id))
        for number, speaker in enumerate(said_by.speakers)
    ]
    names = {voice.speaker: voice.name for voice in voices}
    answer.speaker_warnings = list(said_by.warnings) or None
    answer.speakers = [part.segment.speaker for part in parts]
    answer.doubtful_speakers = [part.is_doubtful for part in parts]
    answer.speaker_names = [names.get(part.segment.speaker or "") for part in parts]
    answer.voices = voices
    return msgspec.structs.replace(found, segments=tuple(part.segment for part in parts))


def _voice(number: int, speaker: Speaker, person: SpokenPerson | None) -> TranscriptVoice:
    return TranscriptVoice(
        speaker=speaker_label(number),
        name=person and person.name,
        cluster_id=str(person.cluster_id) if person else None,
        cluster_job_name=person and person.collection,
        seconds=speaker.seconds,
    )


def _words(segment: Segment, *, marked: bool) -> list[TranscriptWord]:
    """Words of a segment; unmarked they stay what they were before there were marks."""
    if not marked:
        return cast("list[TranscriptWord]", list(segment.words))
    doubtful = frozenset(segment.doubtful)
    return [
        TranscriptWord(word.start, word.end, word.text, word.probability, n in doubtful)
        for n, word in enumerate(segment.words)
    ]


def _read(source: _TranscriptSource, hash_str: str, manifest: Manifest) -> Transcript | SpokenText:
    """Read as much as the request needs: words are most of a transcript."""
    body = source.body
    is_whole = body.words or body.doubtful or body.warnings or body.speakers
    read = transcripts.read if is_whole else transcripts.read_text
    with _with_a_cure():
        return read(source.cache, hash_str, manifest)


@contextlib.contextmanager
def _with_a_cure() -> Iterator[None]:
    try:
        yield
    except CacheError as error:
        raise CacheError(f"{error.message} Transcribe the file again with force.") from error


ENDPOINTS = (
    Endpoint(
        "POST /transcriptions",
        get_transcriptions,
        "Transcriptions",
        KeyScope.SEARCH,
        example={"words": True, "speakers": True},
        answer_example={"transcriptions": [{"words": ..., "speakers": ...}]},
    ),
)
