"""Search in what was said, and loading transcripts before it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from starlette.concurrency import run_in_threadpool

from api.cache.view import opens_at
from api.http.endpoint import Call, Endpoint
from api.models.model_keys import active_key
from api.search.answers import (
    LoadTranscriptionsAnswer,
    TranscriptGroup,
    TranscriptMatch,
    TranscriptMatches,
)
from api.search.bodies import LoadTranscriptionsBody, SearchTranscriptBody
from api.search.coverage.counting import coverage_of
from api.search.filtering import resolving
from api.search.filtering.choosing import NO_FILE
from api.search.filtering.speaking import speaker_choice, unheard
from api.search.matches import match_places
from api.search.paging.asked import AskedPage
from api.search.paging.fields import MOST_MATCHES
from api.search.paging.pages import HitPage, KeptQuery, OnePage, grouped, picked
from api.search.services import SearchScope, SearchServices
from api.search.transcripts.meanings import Unsearchable
from api.search.transcripts.query import LONGEST_FUZZY, FileChoice, SpokenHit, SpokenQuery
from api.search.transcripts.text import asked_text
from api.search.types import LoadReport, QueryVectors
from api.search.vectors import Vector
from shared.cache.captions import CURE
from shared.clock_times import timestamp
from shared.domain import ModelKind
from shared.errors import BadInput, ModelError, ModelLoading, NoWorker, Unavailable
from shared.models.scores import Judge
from shared.models.sentence_model import LEAST, LIKELY
from shared.rights import KeyScope

_JUDGE = Judge(logit=LIKELY, least=LEAST)
_PLACE = 2  # parts of a key that say where in its file a hit is


def find_spoken(
    scope: SearchScope,
    query: SpokenQuery,
    warnings: list[str],
    *,
    details: bool,
    files: set[str] | None = None,
    asked: AskedPage | None = None,
) -> TranscriptMatches:
    """Blocks; raises as the index does. `warnings` takes what the search could not look at.

    `files`: hashes of those that are searched, None: all. `asked`: a page of the matches; raises
    BadInput for a cursor that is out of date.
    """
    began = time.monotonic()
    choice = FileChoice(scope.hashes(), files)
    page = _page(scope, query, choice, asked)
    of_hits = [
        [(hit, _match(hit, path, query)) for path in scope.places(hit.hash_str, hit.path)[places]]
        for hit, places in zip(page.hits, page.all_places, strict=True)
    ]
    matches = [match for of_hit in of_hits for match in of_hit]
    _name_speakers(scope, matches)
    answer = TranscriptMatches(matches=[match for _, match in matches])
    if page.sizes is None:
        matches = matches[: query.max_results]
        answer.matches = [match for _, match in matches]
    else:
        answer.matches, answer.groups = [], _groups(of_hits, page.sizes)
    unseen = _unseen(scope, query, choice)
    warnings.extend(unseen)
    if details:
        _add_details(scope, matches, began)
        silence = () if page.hits else _silence(scope, query, choice)
        answer.notes = [*unseen, *silence]
    if asked is not None:
        kept = KeptQuery.of(QueryVectors(query=query.vector), None)
        answer.next = asked.next(scope, query.model, page.ending, kept)
    return answer


def _page(
    scope: SearchScope, query: SpokenQuery, choice: FileChoice, asked: AskedPage | None
) -> HitPage[SpokenHit]:
    index, view, paths = scope.services.index.transcripts, scope.view(), scope.client_paths()
    if asked is None:
        return HitPage(index.search(view, query, choice))
    asked.check_current(scope, query.model)
    order, ahead = asked.order(scope, paths), None
    if query.mode in ("substring", "fuzzy"):  # found file by file, in any order of files
        after = asked.cursor.after if asked.cursor else None
        if after is not None and asked.per_file is None:
            after = after[:-_PLACE]
        choice, ahead = replace(choice, key=order.of_file, first=after), 0
        query = replace(query, per_file=asked.per_file)
    picker: OnePage[SpokenHit] = asked.page_in(order, paths, lambda _: True, False, ahead)

    def ranked(most: int) -> list[SpokenHit]:
        asked_for = replace(query, max_results=most)
        return index.search(view, asked_for, choice, is_located=False)

    page = picked(picker, ranked)
    return replace(page, hits=index.located(view, page.hits))


def _groups(
    of_hits: Sequence[list[tuple[SpokenHit, TranscriptMatch]]], sizes: Sequence[int]
) -> list[TranscriptGroup]:
    groups = [[match for _, match in group] for group in grouped(of_hits, sizes)]
    return [
        TranscriptGroup(media_path=group[0].media_path, hash_str=group[0].hash_str, matches=group)
        for group in groups
    ]


def _match(hit: SpokenHit, path: str, query: SpokenQuery) -> TranscriptMatch:
    return TranscriptMatch(
        media_path=path,
        hash_str=hit.hash_str,
        start_seconds=hit.start,
        end_seconds=hit.end,
        start_timestamp=timestamp(hit.start),
        end_timestamp=timestamp(hit.end),
        text=hit.text,
        speaker=hit.speaker,
        kind=hit.kind,
        matched_by=hit.matched_by if query.mode in ("semantic", "auto") else None,
    )


def _name_speakers(
    scope: SearchScope, matches: Sequence[tuple[SpokenHit, TranscriptMatch]]
) -> None:
    """Say who speaks where that voice has a name: names change, and nothing is analyzed for it."""
    said = [(hit, match) for hit, match in matches if hit.voices]
    if not said:
        return
    voices = scope.services.people.voices(scope.view().cache)
    for hit, match in said:
        people = voices.of(hit.hash_str)
        names = {people[voice].name if voice in people else None for voice in hit.voices}
        match.speaker_name = names.pop() if len(names) == 1 else None


def _add_details(
    scope: SearchScope, matches: Sequence[tuple[SpokenHit, TranscriptMatch]], began: float
) -> None:
    ours = {client: path for path, client in (scope.asked or {}).items()}
    hash_strs = [hit.hash_str for hit, _ in matches]
    places = scope.services.caches.places(scope.view(), hash_strs, began)
    for hit, match in matches:
        match.paths = match_places(scope, places[hit.hash_str])
        path = ours.get(match.media_path, hit.path)
        # A file that is only known by what it holds was opened for that just now.
        match.online = opens_at(dict(places[hit.hash_str]), path) if path else False
        if hit.cosine is not None:
            match.score = _JUDGE.probability(hit.cosine)
            match.strength = _JUDGE.strength(hit.cosine)


def _unseen(scope: SearchScope, query: SpokenQuery, choice: FileChoice) -> list[str]:
    """What the search could not look at."""
    captions = _missed_captions(scope, query, choice) if query.captions else []
    if query.vector is None:
        return captions
    return captions + _without_meaning(scope, query, choice)


def _without_meaning(scope: SearchScope, query: SpokenQuery, choice: FileChoice) -> list[str]:
    """Transcripts that cannot be found by what they mean."""
    index = scope.services.index.transcripts
    found = Unsearchable.among(index.at_hand(scope.view(), query.model, choice))
    sentences = []
    if found.without:
        sentences.append(
            f"{_transcripts(found.without)} not searched by meaning: analyze the speech of these "
            "files again, with the weights of conse-lite0 on the worker's machine. What was heard "
            "with the same model and settings stays; only what it means is added."
        )
    if found.unread:
        sentences.append(
            f"{_transcripts(found.unread)} not searched by meaning: the rows could not be read. "
            "POST /analysis-data/load tries again and says why it cannot; to make damaged rows "
            "anew, analyze the speech with force."
        )
    if found.foreign:
        sentences.append(
            f"{_transcripts(found.foreign)} not searched by meaning: only English can be."
        )
    return sentences


def _missed_captions(scope: SearchScope, query: SpokenQuery, choice: FileChoice) -> list[str]:
    """Why captions that are wanted were not searched."""
    if query.speaker is not None:
        return ["captions had no effect: nobody is known to speak in them; leave out speaker."]
    if query.mode == "semantic":
        return [
            "captions had no effect: they are found by their words; use another mode than semantic."
        ]
    unread = scope.services.index.transcripts.unread_captions(scope.view())
    asked = unread.keys() if choice.hashes is None else unread.keys() & set(choice.hashes)
    if choice.only is not None:
        asked = asked & choice.only
    reasons = [unread[hash_str] for hash_str in sorted(asked)]
    if not reasons:
        return []
    those = "1 file were" if len(reasons) == 1 else f"{len(reasons):,} files were"
    return [f"Captions of {those} not searched: {reasons[0]} {CURE}"]


def _transcripts(count: int) -> str:
    return "1 transcript was" if count == 1 else f"{count:,} transcripts were"


def _silence(scope: SearchScope, query: SpokenQuery, choice: FileChoice) -> list[str]:
    """Why there may be no match, and what another mode would have found."""
    view = scope.view()
    if choice.only is not None and not choice.only:
        return [NO_FILE]
    has_captions = query.searches_captions and bool(view.captions.files())
    if not view.transcripts.files() and not has_captions:
        return ["Nothing in this cache folder is transcribed yet."]
    if query.mode != "substring" or len(query.text) > LONGEST_FUZZY:
        return []
    alike = replace(query, mode="fuzzy", max_results=1)
    return [
        f'Nobody says just that. The mode "fuzzy" finds, in {place} at {timestamp(hit.start)}: '
        f"{hit.text}"
        for hit in scope.services.index.transcripts.search(view, alike, choice)
        for place in scope.places(hit.hash_str, hit.path)[:1]
    ]


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
        return _loaded(index.load(view, look_for_more=True), [])
    if scope.is_empty:
        return _loaded(LoadReport(), list(scope.unusable))
    hashes = services.caches.hashes_for(scope.view(), list(scope.asked))
    report = index.load_for_media(scope.view(), [h for h in hashes if h is not None])
    without = {None, *report.missing}
    missing = [
        client_path
        for client_path, hash_str in zip(scope.asked.values(), hashes, strict=True)
        if hash_str in without
    ]
    return _loaded(report, [*missing, *scope.unusable])


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


def _loaded(report: LoadReport, missing: list[str]) -> LoadTranscriptionsAnswer:
    files = report.transcription_files
    message = f"The transcripts of {files} file{'' if files == 1 else 's'} are loaded."
    return LoadTranscriptionsAnswer(message=message, transcription_files=files, missing=missing)


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
