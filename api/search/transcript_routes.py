"""Search in what was said, and loading transcripts before it."""

from __future__ import annotations

from dataclasses import replace

from starlette.concurrency import run_in_threadpool

from api.http.endpoint import Call, Endpoint
from api.models.model_keys import active_key
from api.search.answers import LoadTranscriptionsAnswer, TranscriptMatches
from api.search.bodies import LoadTranscriptionsBody, SearchTranscriptBody
from api.search.coverage.counting import coverage_of
from api.search.filtering import resolving
from api.search.filtering.speaking import speaker_choice, unheard
from api.search.paging.asked import AskedPage
from api.search.paging.fields import MOST_MATCHES
from api.search.services import SearchScope, SearchServices
from api.search.spoken_matches import find_spoken
from api.search.transcripts.query import LONGEST_FUZZY, SpokenQuery
from api.search.transcripts.text import asked_text
from api.search.vectors import Vector
from shared.domain import ModelKind
from shared.errors import BadInput, ModelError, ModelLoading, NoWorker, Unavailable
from shared.rights import KeyScope


async def search_transcripts(
    call: Call[SearchTranscriptBody], services: SearchServices
) -> TranscriptMatches:
    """Search what was said.

    Finds the query as a part of the text, whatever the case, the width and the Unicode form
    ("ﬁ" finds "fi", "STRASSE" finds "Straße"). Runs of white space are equal, as are curly and
    straight quotes and all dashes; accents and other punctuation count. A phrase that is split
    over segments is found: the match spans them all. One match for each segment in which the
    query begins, by file in request order (without media_paths: by path), then by time. Where a
    file has several transcripts, the active speech model's is searched, else the newest. Fuzzy
    queries have 200 characters at most. Searching by meaning needs the weights of conse-lite0
    on a query worker, and rows that are made with each English transcript; the header
    X-Rushes-Warnings says how many have none. Media that is transcribed but not loaded is
    loaded.
    """
    body = call.body
    scope, query, page = await run_in_threadpool(_checked, call, services)
    if scope.is_empty:
        found = TranscriptMatches(matches=[], notes=[] if body.details else None)
    else:
        found = await _found(call, scope, query, page)
    if body.coverage:
        found.coverage = await services.folders.run(
            scope.cache_dir,
            coverage_of,
            scope,
            ModelKind.SPEECH,
            asks_who_speaks=body.speaker is not None,
            searches_captions=query.searches_captions and body.speaker is None,
        )
    return found


async def _found(
    call: Call[SearchTranscriptBody],
    scope: SearchScope,
    query: SpokenQuery,
    page: AskedPage | None,
) -> TranscriptMatches:
    body = call.body
    if page and page.cursor and page.cursor.kept:
        query = replace(query, vector=page.cursor.kept.vectors(1.0).query)
    elif body.mode in ("semantic", "auto"):
        query = replace(query, vector=await _vector(call, scope.services))
    folders = scope.services.folders
    return await folders.run(scope.cache_dir, _search, call, scope, query, page)


def load_transcriptions(
    call: Call[LoadTranscriptionsBody], services: SearchServices
) -> LoadTranscriptionsAnswer:
    """Load transcripts.

    Additive and idempotent. Searching loads what is new, so this is never a must. `missing`
    names files that have no transcript there, or a damaged one: /analysis-data/load says which.
    """
    body = call.body
    scope = SearchScope.of(services, body.cache_dir, body.media_paths)
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


def _checked(
    call: Call[SearchTranscriptBody],
    services: SearchServices,
) -> tuple[SearchScope, SpokenQuery, AskedPage | None]:
    """Everything about the request that can be wrong, before anybody is asked anything."""
    body = call.body
    scope = SearchScope.of(services, body.cache_dir, body.media_paths, body.search_all)
    call.warnings.extend(scope.unusable.values())
    text = asked_text(body.query, "query")
    if body.speaker is not None:
        asked_text(body.speaker, "speaker")
    if body.mode == "fuzzy" and len(text) > LONGEST_FUZZY:
        raise BadInput(
            f'query is too long for mode "fuzzy": {len(text)} characters, at most {LONGEST_FUZZY}.'
        )
    has_scores = body.mode in ("semantic", "auto")
    if body.sort == "score" and not has_scores:
        raise BadInput("sort: what is found by its letters has no score; use time or date.")
    if body.filters:
        resolving.check(scope, body.filters)
    at_most = min(body.max_results, MOST_MATCHES)
    page = AskedPage.of(services, body, at_most, "score" if has_scores else "time")
    query = SpokenQuery(text, "", body.mode, max_results=at_most, captions=body.captions)
    return scope, query, page


async def _vector(call: Call[SearchTranscriptBody], services: SearchServices) -> Vector | None:
    """What the query means; None where "auto" does without. Raises Unavailable or ModelError."""
    try:
        return await services.vectors.of_sentence(call.body.query.strip())
    except (Unavailable, ModelError) as error:
        if call.body.mode == "semantic":
            raise
        call.warnings.append(f"Nothing was searched by meaning: {error.message}")
        return None


def _search(
    call: Call[SearchTranscriptBody],
    scope: SearchScope,
    query: SpokenQuery,
    page: AskedPage | None,
) -> TranscriptMatches:
    query = replace(query, model=active_key(scope.services, ModelKind.SPEECH))
    body = call.body
    if body.speaker is not None:
        query = replace(query, speaker=speaker_choice(scope, body.speaker))
    files = resolving.files_left(scope, body.filters) if body.filters else None
    found = find_spoken(scope, query, call.warnings, details=body.details, files=files, asked=page)
    if body.speaker is not None and query.speaker is not None:
        unknown = unheard(scope, body.speaker, query.speaker, files)
        call.warnings.extend(unknown)
        if found.notes is not None:
            found.notes = [*unknown, *found.notes]
    return found


def _message(files: int) -> str:
    return f"The transcripts of {files} file{'' if files == 1 else 's'} are loaded."


ENDPOINTS = (
    Endpoint(
        "POST /analysis-data/load-transcriptions",
        load_transcriptions,
        "Analysis data",
        KeyScope.SEARCH,
        example={"media_paths": ...},
        answer_example={"message": "The transcripts of 12 files are loaded."},
    ),
    Endpoint(
        "POST /search/transcript",
        search_transcripts,
        "Search",
        KeyScope.SEARCH,
        errors={
            NoWorker: "",
            ModelLoading: "",
            ModelError: "The weights of conse-lite0 are not there.",
        },
        example={"max_results": 20},
    ),
)
