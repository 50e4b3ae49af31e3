"""Voices of a collection, and who speaks in a file."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from api.folders import quick_map
from api.http.endpoint import Call, Endpoint
from api.http.services import Scope
from api.models.model_keys import active_key
from api.people.people import PeopleServices
from api.people.snapshot import CollectionSnapshot
from api.people.voices.answers import Excerpt, FileSpeaker, FileSpeakers, VoiceItem, VoicePage
from api.people.voices.bodies import FileVoicesBody, VoicesBody
from api.people.voices.telling import ToldSpeakers
from api.people.voices.whose import voices_in_order
from shared.cache.speakers import voice_id
from shared.cache.spoken_by import speaker_label
from shared.domain import ModelKind
from shared.errors import BadInput, CacheError, Missing
from shared.rights import KeyScope


async def list_voices(call: Call[VoicesBody], services: PeopleServices) -> VoicePage:
    """Voices of a person.

    Each is one speaker of one file, with a part of it to listen to. A voice has its person as a
    face has: of a collection it is in since the file was analyzed into it with `speakers`. A
    voice that its file has no more is not listed. 404 for an unknown cluster, or an unknown
    voice in `after`.
    """
    return await services.in_cache_dir(call.body.cache_dir, _voices, services, call.body)


def _voices(services: PeopleServices, body: VoicesBody) -> VoicePage:
    scope = Scope.of(services, body.cache_dir, None)
    snapshot = services.people.open(scope.cache(), body.cluster_job_name)
    last = None if body.after is None else _known_voice(snapshot, body.after)
    root = snapshot.root(body.cluster_id, "cluster_id")
    found = voices_in_order(snapshot.state, root, after=last)
    page = found[: body.limit]
    items = _items(scope, snapshot, page.tolist())
    return VoicePage(voices=items, next=items[-1].voice_id if len(found) > len(page) else UNSET)


def _known_voice(snapshot: CollectionSnapshot, after: str) -> int:
    try:
        found = snapshot.state.voice_index_of(after)
    except BadInput as error:
        raise BadInput(f"after: {error.message}") from error
    if found is None:
        raise Missing(f"after: the collection {snapshot.name!r} has no voice {after}.")
    return found


def _items(
    scope: Scope[PeopleServices], snapshot: CollectionSnapshot, voices: Sequence[int]
) -> list[VoiceItem]:
    """Voices with what they say; what cannot be read of one is null."""
    grouped = snapshot.state.grouped_voices
    by_file: dict[str, list[int]] = {}
    for voice in voices:
        by_file.setdefault(grouped.media[int(grouped.media_of[voice])], []).append(voice)
    model = active_key(scope.services, ModelKind.SPEECH)
    shown = scope.best_places(by_file)

    def read(hash_str: str) -> list[tuple[int, VoiceItem]]:
        told = _told(snapshot, hash_str, model)
        return [
            (voice, _item(snapshot, voice, told, shown[hash_str])) for voice in by_file[hash_str]
        ]

    pool = scope.services.caches.reader(snapshot.cache)
    items = dict(pair for pairs in quick_map(pool, read, by_file) for pair in pairs)
    return [items[voice] for voice in voices]


def _told(snapshot: CollectionSnapshot, hash_str: str, model: str) -> ToldSpeakers | None:
    try:
        return ToldSpeakers.of(snapshot.cache, hash_str, model)
    except CacheError:  # damaged: who reads the transcript is told
        return None


def _item(
    snapshot: CollectionSnapshot, voice: int, told: ToldSpeakers | None, path: str | None
) -> VoiceItem:
    grouped = snapshot.state.grouped_voices
    label = told and told.label(int(grouped.ids[voice]))
    start, end = grouped.excerpts[voice].tolist()
    return VoiceItem(
        voice_id=grouped.voice_id(voice),
        media_path=path,
        hash_str=grouped.media[int(grouped.media_of[voice])],
        speaker=label or speaker_label(int(grouped.numbers[voice])),
        seconds=round(float(grouped.seconds[voice]), 2),
        excerpt=Excerpt(start_seconds=round(start, 3), end_seconds=round(end, 3)),
        text=_text(told, label, start, end) if told and label else None,
    )


def _text(told: ToldSpeakers, label: str, start: float, end: float) -> str | None:
    try:
        return told.words(label, start, end) or None
    except CacheError:
        return None


async def list_file_speakers(call: Call[FileVoicesBody], services: PeopleServices) -> FileSpeakers:
    """Who speaks in a file.

    The speakers of the file's transcript, S1, S2 and so on, and who they are in the collection:
    so a person can be named from a transcript. A speaker whom the collection does not have,
    because the file was not analyzed into it, has null ids. 404 for a file that is neither
    there nor known. Where the file's speakers cannot be read, none are told, and
    X-Rushes-Warnings says why.
    """
    found, unread = await services.in_cache_dir(call.body.cache_dir, _in_file, services, call.body)
    call.warnings.extend(unread)
    return found


def _in_file(services: PeopleServices, body: FileVoicesBody) -> tuple[FileSpeakers, list[str]]:
    services.paths.media(body.media_path, "media_path")
    scope = Scope.of(services, body.cache_dir, [body.media_path])
    snapshot = services.people.open(scope.cache(), body.cluster_job_name)
    hash_str = next(iter(scope.client_paths() or {}), None)
    if hash_str is None:
        raise Missing(f"{body.media_path} is neither there nor known in this cache folder.")
    try:
        told = ToldSpeakers.of(scope.cache(), hash_str, active_key(services, ModelKind.SPEECH))
    except CacheError as error:
        why = f"{error.message} Transcribe the file again with force."
        return FileSpeakers(speakers=[]), [why]
    return FileSpeakers(
        speakers=[_speaker(snapshot, hash_str, *speaker) for speaker in told or ()]
    ), []


def _speaker(
    snapshot: CollectionSnapshot, hash_str: str, label: str, id_: int, seconds: float
) -> FileSpeaker:
    voice = snapshot.state.voice_index_of(voice_id(hash_str, id_))
    cluster = None if voice is None else int(snapshot.state.voices[voice])
    return FileSpeaker(
        speaker=label,
        voice_id=None if voice is None else voice_id(hash_str, id_),
        cluster_id=None if cluster is None else str(cluster),
        name=None if cluster is None else snapshot.state.voice_names.get(cluster),
        seconds=round(seconds, 2),
    )


ENDPOINTS = (
    Endpoint(
        "POST /faces/clusters/voices",
        list_voices,
        "Faces",
        KeyScope.SEARCH,
        example={"cluster_id": ...},
    ),
    Endpoint(
        "POST /faces/voices/of",
        list_file_speakers,
        "Faces",
        KeyScope.SEARCH,
        errors={BadInput: "media_path must be an absolute path, not 'A001.mov'."},
    ),
)
