"""The three visual searches: by words, by a picture, by a frame. Ranking is api/search."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import numpy as np
from starlette.concurrency import run_in_threadpool

from api.base64_pictures import picture_bytes
from api.http.endpoint import Call, Endpoint
from api.http.times import seconds_of
from api.models.model_keys import active_key
from api.search.answers import Matches
from api.search.bodies import (
    Mode,
    SearchFields,
    SearchFrameBody,
    SearchImageBody,
    SearchTextBody,
)
from api.search.calibration.prompting import meaning_of
from api.search.coverage.counting import coverage_of
from api.search.filtering import resolving
from api.search.filtering.choosing import Chosen
from api.search.matches import Standing, Wanted, fill_bounds, find_matches
from api.search.paging.asked import AskedPage
from api.search.paging.fields import MOST_MATCHES
from api.search.services import SearchScope, SearchServices
from api.search.transcripts.text import asked_text
from api.search.types import FrameSearch, QueryVectors
from api.search.vectors import Vector
from shared.domain import ModelKind
from shared.errors import (
    BadInput,
    MediaMissing,
    MediaUnreadable,
    ModelError,
    ModelLoading,
    NoWorker,
)
from shared.models import model_catalogue
from shared.rights import KeyScope

AnySearch = TypeVar("AnySearch", bound=SearchFields)
Texts = TypeVar("Texts")
Picture = TypeVar("Picture")
_RANKING = (
    "Best first: the best frame of a scene, and a further one of the same scene only when it is "
    "at least 10 s from every better match of it. Media that is analysed but not loaded is loaded."
)
# What the query workers, which embed words and pictures, may answer.
_OF_WORKERS = {
    NoWorker: "",
    ModelLoading: "",
    ModelError: "There is no visual model 'conse-lite9'. Known: conse-lite0.",
}


async def of_bytes(services: SearchServices, model: str, content: bytes) -> Vector:
    """Of an encoded picture. Raises BadInput, and as `Vectors.of_picture`."""
    try:
        return await services.vectors.of_picture(model, content)
    except MediaUnreadable as error:
        raise BadInput(f"image is no picture: {error.message}") from None


async def of_file(services: SearchServices, model: str, path: str) -> Vector:
    """Of a picture file. Raises BadInput, MediaMissing, and as `Vectors.of_frame`."""
    folder = os.path.dirname(path)
    await services.folders.run(folder, _must_be_there, services, path, "image_path")
    try:
        return await services.vectors.of_frame(model, path, 0.0, services.paths.key_roots)
    except MediaUnreadable as error:
        raise BadInput(f"image_path is no picture: {error.message}") from None


async def of_frame(scope: SearchScope, model: str, path: str, seconds: float) -> Vector:
    """The stored embedding where the time is on the grid and analysed, else the frame's own."""
    run = scope.services.folders.run
    await run(os.path.dirname(path), _must_be_there, scope.services, path, "media_path")
    if seconds.is_integer():
        stored = await run(scope.cache_dir, _stored_vector, scope, model, path, int(seconds))
        if stored is not None:
            return stored
    try:
        services = scope.services
        return await services.vectors.of_frame(model, path, seconds, services.paths.key_roots)
    except BadInput as error:
        raise BadInput(f"time_seconds: {error.message}") from None
    except MediaUnreadable as error:
        raise MediaUnreadable(f"media_path: {error.message}") from None


def _stored_vector(scope: SearchScope, model: str, path: str, second: int) -> Vector | None:
    services, view = scope.services, scope.view()
    hash_str = services.caches.hash_for(view, path)
    if hash_str is None:
        return None
    return services.index.stored_vector(view, model, hash_str, second)


def _must_be_there(services: SearchServices, path: str, field: str) -> None:
    """Raises MediaMissing or NotAllowed; what else is wrong with it, the worker says."""
    try:
        services.paths.open_media(path).close()
    except MediaMissing:
        raise MediaMissing(f"{field}: the file {path} does not exist.") from None
    except MediaUnreadable:
        return


# Gives the picture's vector for the model of that key.
PictureOf = Callable[[SearchScope, str], Awaitable[Vector]]


async def search_by_text(call: Call[SearchTextBody], services: SearchServices) -> Matches:
    """Search by words."""
    return await _search(call, services, call.body.query, None)


async def search_by_image(call: Call[SearchImageBody], services: SearchServices) -> Matches:
    """Search by a picture."""
    body = call.body
    if body.image_path is not None:
        path = services.paths.media(body.image_path, "image_path")
        return await _search(
            call, services, body.query, lambda _, m: of_file(services, m, path), body.mode
        )
    if body.image is not None:
        content = await run_in_threadpool(picture_bytes, body.image)
        return await _search(
            call, services, body.query, lambda _, m: of_bytes(services, m, content), body.mode
        )
    raise BadInput("Give image_path (a path) or image (base64).")


async def search_by_frame(call: Call[SearchFrameBody], services: SearchServices) -> Matches:
    """Search by a frame of a file."""
    body = call.body
    path = services.paths.media(body.media_path, "media_path")
    seconds = seconds_of(body.time_seconds, "time_seconds")
    return await _search(
        call, services, body.query, lambda scope, m: of_frame(scope, m, path, seconds), body.mode
    )


async def _search(
    call: Call[AnySearch],
    services: SearchServices,
    query: str | None,
    picture_of: PictureOf | None,
    mode: Mode = "exact",
) -> Matches:
    body = call.body
    # 500,000 paths take seconds.
    scope, page = await run_in_threadpool(_checked, services, body, query)
    call.warnings.extend(scope.unusable.values())
    if scope.is_empty:
        matches = Matches(matches=[])
        matches.notes = ["media_paths names no file."] if body.details else None
    else:
        matches = await _matches(call, scope, page, query, picture_of, mode)
    if body.coverage:
        matches.coverage = await services.folders.run(
            scope.cache_dir,
            coverage_of,
            scope,
            ModelKind.VISUAL,
            asks_who_speaks=body.speaker is not None,
        )
    return matches


async def _matches(
    call: Call[AnySearch],
    scope: SearchScope,
    page: AskedPage | None,
    query: str | None,
    picture_of: PictureOf | None,
    mode: Mode,
) -> Matches:
    services, run = scope.services, scope.services.folders.run
    body, chosen = call.body, Chosen()
    if body.people_filter or body.filters or body.spoken is not None or body.speaker is not None:
        chosen = await services.folders.run(scope.cache_dir, Chosen.of, scope, body, call.warnings)
        if notes := chosen.silence():
            return Matches(matches=[], notes=notes if body.details else None)
    model = await run_in_threadpool(active_key, services, ModelKind.VISUAL)
    if page and page.cursor and (kept := page.cursor.kept):
        vectors, familiarity = kept.vectors(body.text_weight), kept.familiarity
    else:
        picture = picture_of(scope, model) if picture_of else _nothing()
        vectors, familiarity = await _vectors(services, model, body, query, picture)
    has_speaker = mode == "fast" and body.speaker is not None
    reasons = dict.fromkeys(["speaker needs all frames"] if has_speaker else [])
    instead = None if mode == "exact" or has_speaker else reasons.setdefault
    wanted = Wanted(
        FrameSearch(model, vectors, chosen.files, chosen.frames, instead),
        familiarity,
        min(body.max_results, MOST_MATCHES),
        page,
        body.images,
        call.sender.owner,
        await _standing(call, scope, model, vectors, familiarity),
        body.details,
    )
    matches = await run(scope.cache_dir, find_matches, scope, wanted)
    if body.details:
        await fill_bounds(scope, matches)
        matches.notes = [*chosen.unknown, *(matches.notes or ())]
    call.warnings.extend(f'mode: "fast" was answered as "exact": {why}.' for why in reasons)
    return matches


async def _standing(
    call: Call[AnySearch],
    scope: SearchScope,
    model: str,
    vectors: QueryVectors,
    familiarity: float | None,
) -> Standing | None:
    """What matches are worth, where somebody asks; None: nobody does."""
    body = call.body
    is_sorted = body.sort not in (None, "score")
    if not (body.details or body.min_strength or body.min_score is not None or is_sorted):
        return None
    spec = await run_in_threadpool(
        model_catalogue.resolve, scope.services.settings, ModelKind.VISUAL, model
    )
    meaning = await meaning_of(scope, spec)
    standing = Standing.of(model, meaning, body, vectors, familiarity)
    call.warnings.extend(standing.warnings())
    return standing


async def _vectors(
    services: SearchServices,
    model: str,
    body: SearchFields,
    query: str | None,
    picture: Awaitable[Vector | None],
) -> tuple[QueryVectors, float | None]:
    """What to rank by, and how well the model knows the words of the query."""
    words = [*([query] if query else []), *body.exclude]
    texts, seen = await _both(services.vectors.of_texts(model, words), picture)
    asked = texts[0] if query else None
    excluded = [text.vector for text in texts[1 if asked else 0 :]]
    vectors = QueryVectors(
        query=asked.vector if asked else None,
        picture=seen,
        exclude=np.stack(excluded) if excluded else None,
        text_weight=body.text_weight,
    )
    return vectors, asked.familiarity if asked else None


def _checked(
    services: SearchServices, body: SearchFields, query: str | None
) -> tuple[SearchScope, AskedPage | None]:
    """Everything about the request that can be wrong, before anybody is asked anything."""
    scope = SearchScope.of(services, body.cache_dir, body.media_paths, body.search_all)
    if query is not None and not query.strip():
        raise BadInput("query must not be empty.")
    for n, words in enumerate(body.exclude):
        if not words.strip():
            raise BadInput(f"exclude[{n}] must not be empty.")
    for n, person in enumerate(body.people_filter):
        if person.person_name is None and person.cluster_id is None:
            raise BadInput(f"people_filter[{n}] needs person_name or cluster_id.")
    if body.spoken is not None:
        asked_text(body.spoken, "spoken")
    if body.speaker is not None:
        asked_text(body.speaker, "speaker")
    if body.filters:
        resolving.check(scope, body.filters)
    return scope, AskedPage.of(services, body, min(body.max_results, MOST_MATCHES), "score")


async def _both(texts: Awaitable[Texts], picture: Awaitable[Picture]) -> tuple[Texts, Picture]:
    """The vectors of both. Of two errors that of the picture is raised, whichever came first."""
    first, second = await asyncio.gather(texts, picture, return_exceptions=True)
    for found in (second, first):
        if isinstance(found, BaseException):
            raise found
    return cast(tuple[Texts, Picture], (first, second))


async def _nothing() -> None:
    return None


ENDPOINTS = (
    Endpoint(
        "POST /search/text",
        search_by_text,
        "Search",
        KeyScope.SEARCH,
        description="score = text_weight · cos(query) − 0.5 · max(0, max cos(exclude)). "
        + _RANKING,
        errors={BadInput: "people_filter[0] needs person_name or cluster_id.", **_OF_WORKERS},
        example={"exclude": ..., "max_results": 20},
    ),
    Endpoint(
        "POST /search/image",
        search_by_image,
        "Search",
        KeyScope.SEARCH,
        description="Give `image_path` or `image`. score = cos(picture) + text_weight · cos(query) "
        f"− 0.5 · max(0, max cos(exclude)). {_RANKING}",
        errors={
            BadInput: "Give image_path (a path) or image (base64).",
            MediaMissing: "image_path: the file /footage/reference/car.jpg does not exist.",
            **_OF_WORKERS,
        },
        example={"image_path": ...},
    ),
    Endpoint(
        "POST /search/frame",
        search_by_frame,
        "Search",
        KeyScope.SEARCH,
        description="The file need not be analysed. 400 for a time outside it, 404 for a missing "
        f"file. The score is that of an image search. {_RANKING}",
        errors={
            BadInput: "time_seconds: The time 67 s is beyond the end of the file (12.5 s).",
            MediaUnreadable: "media_path: The file cannot be decoded.",
            MediaMissing: "media_path: the file /footage/day1/A001.mov does not exist.",
            **_OF_WORKERS,
        },
    ),
)
