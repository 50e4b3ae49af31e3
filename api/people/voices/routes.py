"""Voices of a collection, and who speaks in a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from msgspec import UNSET

from api.folders import quick_map
from api.http.endpoint import Call, Endpoint
from api.http.parameters import IN_CACHE_DIR, OF_COLLECTION
from api.http.services import Scope
from api.models.model_keys import active_key
from api.people.answers import (
    Excerpt,
    FileSpeaker,
    FileSpeakers,
    ProposalItem,
    Proposals,
    VoiceItem,
    VoicePage,
)
from api.people.bodies import FileVoicesBody, VoicesBody
from api.people.people import PeopleServices
from api.people.snapshot import CollectionSnapshot, voices_in_order
from api.people.voices.proposals import (
    MIN_SECONDS,
    MIN_TIMES,
    MOST_FILES,
    MOST_PROPOSALS,
    Proposal,
)
from shared.cache import cache_files, speakers, transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import SpeakerTurns, voice_id
from shared.cache.spoken_by import by_speaker, speaker_label
from shared.cache.transcripts import Segment
from shared.domain import Manifest, ModelKind
from shared.errors import BadInput, CacheError, Missing
from shared.rights import KeyScope

_MOST_LETTERS = 120


class ToldSpeakers:
    """The speakers of the transcript that answers for a file, by their ids."""

    def __init__(self, cache: CacheDir, hash_str: str, source: Manifest, told: SpeakerTurns):
        self._cache, self._hash_str, self._source, self._told = cache, hash_str, source, told
        self._parts: list[Segment] | None = None

    @classmethod
    def of(cls, cache: CacheDir, hash_str: str, preferred_model: str) -> ToldSpeakers | None:
        """None where speakers were not told apart. Raises CacheError."""
        with cache_files.clear_errors(cache.root):
            source = transcripts.find(cache, hash_str, preferred_model)
            found = source and speakers.find(cache, hash_str, source)
            if source is None or found is None:
                return None
            return cls(cache, hash_str, source, speakers.read(cache, hash_str, found))

    def __iter__(self) -> Iterator[tuple[str, int, float]]:
        """Label, id and seconds of each, by first appearance."""
        for number, speaker in enumerate(self._told.speakers):
            yield speaker_label(number), speaker.id, speaker.seconds

    def label(self, id_: int) -> str | None:
        return next((label for label, known, _ in self if known == id_), None)

    def words(self, label: str, start: float, end: float) -> str | None:
        """What a speaker says in a stretch, from its first words on; None: it cannot be read."""
        try:
            if self._parts is None:
                spoken = transcripts.read(self._cache, self._hash_str, self._source)
                parts = by_speaker(spoken.segments, self._told.turns)
                self._parts = [part.segment for part in parts]
        except CacheError:
            return None
        said = (
            part.text
            for part in self._parts
            if part.speaker == label and part.start < end and part.end > start
        )
        text = " ".join(said)
        if len(text) > _MOST_LETTERS:
            text = text[: _MOST_LETTERS - 1].rsplit(" ", 1)[0] + "…"
        return text or None


def list_voices(call: Call[VoicesBody], services: PeopleServices) -> VoicePage:
    """Voices of a person.

    Each is one speaker of one file, with a part of it to listen to. A voice has its person as a
    face has: of a collection it is in since the file was analyzed into it with `speakers`. A
    voice that its file has no more is not listed. 404 for an unknown cluster, or an unknown
    voice in `after`.
    """
    body = call.body
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
        told = None
        with contextlib.suppress(CacheError):  # damaged: who reads the transcript is told
            told = ToldSpeakers.of(snapshot.cache, hash_str, model)
        return [
            (voice, _item(snapshot, voice, told, shown[hash_str])) for voice in by_file[hash_str]
        ]

    pool = scope.services.caches.reader(snapshot.cache)
    items = dict(pair for pairs in quick_map(pool, read, by_file) for pair in pairs)
    return [items[voice] for voice in voices]


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
        text=told.words(label, start, end) if told and label else None,
    )


def list_file_speakers(call: Call[FileVoicesBody], services: PeopleServices) -> FileSpeakers:
    """Who speaks in a file.

    The speakers of the file's transcript, S1, S2 and so on, and who they are in the collection:
    so a person can be named from a transcript. A speaker whom the collection does not have,
    because the file was not analyzed into it, has null ids. 404 for a file that is neither
    there nor known. Where the file's speakers cannot be read, none are told, and
    X-Rushes-Warnings says why.
    """
    body = call.body
    services.paths.media(body.media_path, "media_path")
    scope = Scope.of(services, body.cache_dir, [body.media_path])
    snapshot = services.people.open(scope.cache(), body.cluster_job_name)
    hash_str = next(iter(scope.client_paths() or {}), None)
    if hash_str is None:
        raise Missing(f"{body.media_path} is neither there nor known in this cache folder.")
    try:
        told = ToldSpeakers.of(scope.cache(), hash_str, active_key(services, ModelKind.SPEECH))
    except CacheError as error:
        call.warnings.append(f"{error.message} Transcribe the file again with force.")
        return FileSpeakers(speakers=[])
    state, found = snapshot.state, []
    for label, id_, seconds in told or ():
        speaker = FileSpeaker(
            speaker=label, voice_id=None, cluster_id=None, name=None, seconds=round(seconds, 2)
        )
        if (voice := state.voice_index_of(voice_id(hash_str, id_))) is not None:
            cluster = int(state.voices[voice])
            speaker.voice_id, speaker.cluster_id = voice_id(hash_str, id_), str(cluster)
            speaker.name = state.voice_names.get(cluster)
        found.append(speaker)
    return FileSpeakers(speakers=found)


def list_proposals(call: Call[None], services: PeopleServices) -> Proposals:
    """Faces and voices that may be one person."""
    cache_dir, name = IN_CACHE_DIR.read(call.query), OF_COLLECTION.read(call.query)
    scope = Scope.of(services, cache_dir, None)
    snapshot = services.people.open(scope.cache(), name)
    proposed = services.people.proposing.of(snapshot, services.caches.reader(scope.cache()))
    places = scope.best_places({hash_str for one in proposed.found for hash_str in one.files})
    call.warnings.extend(proposed.warnings)
    return Proposals(proposals=[_proposal_item(snapshot, one, places) for one in proposed.found])


def _proposal_item(
    snapshot: CollectionSnapshot, proposal: Proposal, places: dict[str, str | None]
) -> ProposalItem:
    fit, state = proposal.fit, snapshot.state
    return ProposalItem(
        face_cluster_id=str(fit.face),
        face_name=state.names.get(fit.face),
        voice_cluster_id=str(fit.voice),
        voice_name=state.voice_names.get(fit.voice),
        seconds_together=fit.seconds,
        seconds_spoken=fit.spoken,
        share=round(fit.seconds / fit.spoken, 3),
        media_paths=[path for hash_str in proposal.files if (path := places[hash_str])],
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
    Endpoint(
        "GET /faces/proposals",
        list_proposals,
        "Faces",
        KeyScope.SEARCH,
        description="Nothing is joined by itself: merge the two clusters by /faces/clusters/modify "
        "to accept a proposal, or say there that they are `apart`. A face is proposed for a voice "
        f"where it is seen while the voice speaks, for {MIN_SECONDS} seconds and at {MIN_TIMES} "
        "different times at least, and clearly less while others do, and where no other face and "
        "no other voice fits nearly as well. So nobody is proposed for a narrator who is not "
        "seen, and a face that is always in the picture for nobody. Turns of which it is doubtful "
        f"whose they are do not count. At most {MOST_PROPOSALS}, over the {MOST_FILES:,} files in "
        "which is spoken longest; X-Rushes-Warnings says when some were not looked at.",
        query=(IN_CACHE_DIR, OF_COLLECTION),
        answer_example={"proposals": [{"voice_cluster_id": "1590043", "voice_name": None}]},
    ),
)
