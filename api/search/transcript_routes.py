"""Search in what was said, and loading transcripts before it."""

from __future__ import annotations

import unicodedata

from api.http.endpoint import Call, Endpoint
from api.http.scope import Scope
from api.models.model_keys import active_key
from api.search.answers import LoadTranscriptionsAnswer, TranscriptMatch, TranscriptMatches
from api.search.bodies import MOST_MATCHES, LoadTranscriptionsBody, SearchTranscriptBody
from api.search.transcripts.folding import fold
from api.search.transcripts.index import SpokenHit, SpokenQuery
from api.services import Services
from shared.clock_times import timestamp
from shared.domain import ModelKind
from shared.errors import BadInput
from shared.rights import KeyScope

_LONGEST_FUZZY = 200  # characters; time grows with the square of what is longer


async def search_transcripts(call: Call[SearchTranscriptBody]) -> TranscriptMatches:
    """By file in request order, then by time."""
    return await call.services.in_cache_dir(call.body.cache_dir, _search, call)


async def load_transcriptions(call: Call[LoadTranscriptionsBody]) -> LoadTranscriptionsAnswer:
    """Everything, or some files."""
    return await call.services.in_cache_dir(call.body.cache_dir, _load, call.services, call.body)


def _search(call: Call[SearchTranscriptBody]) -> TranscriptMatches:
    services, body = call.services, call.body
    scope = Scope.of(services, body.cache_dir, body.media_paths, body.search_all)
    call.warnings.extend(scope.unusable.values())
    text = _folded(body.query, "query")
    speaker = None if body.speaker is None else _folded(body.speaker, "speaker")
    if body.mode == "fuzzy" and len(text) > _LONGEST_FUZZY:
        raise BadInput(
            f'query is too long for mode "fuzzy": {len(text)} characters, at most {_LONGEST_FUZZY}.'
        )
    if scope.is_empty:
        return TranscriptMatches(matches=[])
    model = active_key(services, ModelKind.SPEECH)
    at_most = min(body.max_results, MOST_MATCHES)
    return _matches(scope, SpokenQuery(text, model, body.mode, speaker, at_most))


def _matches(scope: Scope, query: SpokenQuery) -> TranscriptMatches:
    client_paths = scope.client_paths()
    hashes = None if client_paths is None else list(client_paths)
    hits = scope.services.index.transcripts.search(scope.view(), query, hashes)
    matches = [_match(hit, place) for hit in hits for place in scope.places(hit, client_paths)]
    return TranscriptMatches(matches=matches[: query.max_results])


def _match(hit: SpokenHit, path: str) -> TranscriptMatch:
    return TranscriptMatch(
        media_path=path,
        hash_str=hit.hash_str,
        start_seconds=hit.start,
        end_seconds=hit.end,
        start_timestamp=timestamp(hit.start),
        end_timestamp=timestamp(hit.end),
        text=hit.text,
        speaker=hit.speaker,
    )


def _folded(text: str, field: str) -> str:
    """What to look for. Raises BadInput for what no transcript can hold."""
    for character in text:
        is_control = unicodedata.category(character) in ("Cc", "Cs") and not character.isspace()
        if is_control:
            raise BadInput(f"{field} holds the control character U+{ord(character):04X}.")
    folded = fold(text)
    if not folded:
        raise BadInput(f"{field} must not be empty.")
    return folded


def _load(services: Services, body: LoadTranscriptionsBody) -> LoadTranscriptionsAnswer:
    scope = Scope.of(services, body.cache_dir, body.media_paths)
    index = services.index.transcripts
    if scope.asked is None:
        view = services.caches.open(scope.cache_dir, thorough=True)
        report = index.load(view, look_for_more=True)
        return LoadTranscriptionsAnswer(
            message=_message(report.files), transcription_files=report.files, missing=[]
        )
    if scope.is_empty:
        missing = list(scope.unusable)
        return LoadTranscriptionsAnswer(message=_message(0), transcription_files=0, missing=missing)
    hashes = services.caches.hashes_for(scope.view(), list(scope.asked))
    report = index.load_for_media(scope.view(), [h for h in hashes if h is not None])
    without = {None, *report.missing}
    missing = [
        client_path
        for client_path, hash_str in zip(scope.asked.values(), hashes, strict=True)
        if hash_str in without
    ]
    return LoadTranscriptionsAnswer(
        message=_message(report.files),
        transcription_files=report.files,
        missing=[*missing, *scope.unusable],
    )


def _message(files: int) -> str:
    return f"The transcripts of {files} file{'' if files == 1 else 's'} are loaded."


_MATCH = {
    "media_path": "/footage/day1/A001.mov",
    "hash_str": "9ae0daaf81f5b2c3",
    "start_seconds": 67.2,
    "end_seconds": 71.04,
    "start_timestamp": "00:01:07",
    "end_timestamp": "00:01:11",
    "text": "Thunder, rolling thunder.",
}

ENDPOINTS = (
    Endpoint(
        "POST",
        "/analysis-data/load-transcriptions",
        load_transcriptions,
        scope=KeyScope.SEARCH,
        tag="Analysis data",
        summary="Load transcripts",
        description="Additive and idempotent. Searching loads what is new, so this is never a "
        "must. `missing` names files that have no transcript there, or a damaged one: "
        "/analysis-data/load says which.",
        body=LoadTranscriptionsBody,
        answer=LoadTranscriptionsAnswer,
        example={"cache_dir": "/footage/.rushes", "media_paths": ["/footage/day1/A001.mov"]},
        answer_example={
            "message": "The transcripts of 1 file are loaded.",
            "transcription_files": 1,
            "missing": [],
        },
    ),
    Endpoint(
        "POST",
        "/search/transcript",
        search_transcripts,
        scope=KeyScope.SEARCH,
        tag="Search",
        summary="Search what was said",
        description="Finds the query as a part of the text, whatever the case, the width and the "
        'Unicode form ("ﬁ" finds "fi", "STRASSE" finds "Straße"). Runs of white space are '
        "equal, as are curly and straight quotes and all dashes; accents and other punctuation "
        "count. A phrase that is split over segments is found: the match spans them all. One "
        "match for each segment in which the query begins, by file in request order (without "
        "media_paths: by path), then by time. Where a file has several transcripts, the active "
        "speech model's is searched, else the newest. Fuzzy queries have 200 characters at most. "
        "Media that is transcribed but not loaded is "
        "loaded.",
        body=SearchTranscriptBody,
        answer=TranscriptMatches,
        example={"query": "rolling thunder", "cache_dir": "/footage/.rushes", "max_results": 20},
        answer_example={"matches": [_MATCH]},
    ),
)
