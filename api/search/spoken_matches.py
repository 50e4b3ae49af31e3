"""Matches of a search in what was said, with what there is to say of them and of their absence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from api.cache.view import opens_at
from api.search.answers import TranscriptGroup, TranscriptMatch, TranscriptMatches
from api.search.filtering.choosing import NO_FILE
from api.search.matches import match_places
from api.search.paging.asked import AskedPage, ClientPaths
from api.search.paging.pages import HitPage, KeptQuery, OnePage, grouped, picked
from api.search.services import SearchScope
from api.search.transcripts.query import LONGEST_FUZZY, FileChoice, SpokenHit, SpokenQuery
from api.search.types import QueryVectors
from shared.cache.captions import CURE
from shared.clock_times import timestamp
from shared.models.scores import Judge
from shared.models.sentence_model import LEAST, LIKELY

_JUDGE = Judge(logit=LIKELY, least=LEAST)
_PLACE = 2  # parts of a key that say where in its file a hit is
Hashes = Sequence[str] | None


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
    client_paths = scope.client_paths()
    hashes = None if client_paths is None else list(client_paths)
    page = _page(scope, query, client_paths, files, asked)
    of_hits = [
        [(hit, _match(hit, path, query)) for path in scope.places(hit, client_paths)[places]]
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
    unseen = _unseen(scope, query, hashes, files)
    warnings.extend(unseen)
    if details:
        _add_details(scope, matches, began)
        silence = () if page.hits else _silence(scope, query, client_paths, files)
        answer.notes = [*unseen, *silence]
    if asked is not None:
        kept = KeptQuery.of(QueryVectors(query=query.vector), None)
        answer.next = asked.next(scope, query.model, page.ending, kept)
    return answer


def _page(
    scope: SearchScope,
    query: SpokenQuery,
    paths: ClientPaths,
    files: set[str] | None,
    asked: AskedPage | None,
) -> HitPage[SpokenHit]:
    index, view = scope.services.index.transcripts, scope.view()
    hashes = None if paths is None else list(paths)
    if asked is None:
        return HitPage(index.search(view, query, hashes, FileChoice(files)))
    asked.check_current(scope, query.model)
    order = asked.order(scope, paths)
    choice, ahead = FileChoice(files), None
    if query.mode in ("substring", "fuzzy"):  # found file by file, in any order of files
        after = asked.cursor.after if asked.cursor else None
        if after is not None and asked.per_file is None:
            after = after[:-_PLACE]
        choice, ahead = FileChoice(files, order.of_file, after), 0
        query = replace(query, per_file=asked.per_file)
    picker: OnePage[SpokenHit] = asked.page_in(order, paths, lambda _: True, False, ahead)

    def ranked(most: int) -> list[SpokenHit]:
        asked_for = replace(query, max_results=most)
        return index.search(view, asked_for, hashes, choice, is_located=False)

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


def _unseen(
    scope: SearchScope, query: SpokenQuery, hashes: Hashes, files: set[str] | None
) -> list[str]:
    """What the search could not look at."""
    captions = _missed_captions(scope, query, hashes, files) if query.captions else []
    if query.vector is None:
        return captions
    return captions + _without_meaning(scope, query, hashes, files)


def _without_meaning(
    scope: SearchScope, query: SpokenQuery, hashes: Hashes, files: set[str] | None
) -> list[str]:
    """Transcripts that cannot be found by what they mean."""
    index, choice = scope.services.index.transcripts, FileChoice(files)
    found = index.unsearchable(scope.view(), query.model, hashes, choice)
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


def _missed_captions(
    scope: SearchScope, query: SpokenQuery, hashes: Hashes, files: set[str] | None
) -> list[str]:
    """Why captions that are wanted were not searched."""
    if query.speaker is not None:
        return ["captions had no effect: nobody is known to speak in them; leave out speaker."]
    if query.mode == "semantic":
        return [
            "captions had no effect: they are found by their words; use another mode than semantic."
        ]
    unread = scope.services.index.transcripts.unread_captions(scope.view())
    asked = unread.keys() if hashes is None else unread.keys() & set(hashes)
    reasons = [unread[hash_str] for hash_str in sorted(asked if files is None else asked & files)]
    if not reasons:
        return []
    those = "1 file were" if len(reasons) == 1 else f"{len(reasons):,} files were"
    return [f"Captions of {those} not searched: {reasons[0]} {CURE}"]


def _transcripts(count: int) -> str:
    return "1 transcript was" if count == 1 else f"{count:,} transcripts were"


def _silence(
    scope: SearchScope, query: SpokenQuery, client_paths: ClientPaths, files: set[str] | None
) -> list[str]:
    """Why there may be no match, and what another mode would have found."""
    view = scope.view()
    if files is not None and not files:
        return [NO_FILE]
    has_captions = query.searches_captions and bool(view.captions.files())
    if not view.transcripts() and not has_captions:
        return ["Nothing in this cache folder is transcribed yet."]
    if query.mode != "substring" or len(query.text) > LONGEST_FUZZY:
        return []
    hashes = None if client_paths is None else list(client_paths)
    alike = replace(query, mode="fuzzy", max_results=1)
    return [
        f'Nobody says just that. The mode "fuzzy" finds, in {place} at {timestamp(hit.start)}: '
        f"{hit.text}"
        for hit in scope.services.index.transcripts.search(view, alike, hashes, FileChoice(files))
        for place in scope.places(hit, client_paths)[:1]
    ]
