"""Matches of a search with what is said of them: pictures, places, what they are worth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import msgspec
import pybase64

from api.http.scope import Scope
from api.people.frame_filter import FrameFilter
from api.search.answers import Match, Matches, MatchPlace
from api.search.frames.picture_addresses import SignedFrame, token_of
from api.search.frames.previews import read_previews
from api.search.picture_routes import PATH as pictures_path
from api.search.standing import Standing
from api.search.types import Hit, QueryVectors
from shared.clock_times import timestamp
from shared.media import MediaType, media_type_of
from shared.models.scores import Strength


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to rank by, how much of it, and which frames may match (None: all)."""

    model: str
    vectors: QueryVectors
    max_results: int
    only: FrameFilter | None
    images: bool | Literal["url"]
    roots: tuple[str, ...] | None  # of the licence key
    instead: Callable[[str], None] | None  # told why a fast search was exact; None: it is to be
    standing: Standing | None  # None: nobody asks what matches are worth
    details: bool


@dataclass(frozen=True, slots=True)
class _Details:
    """What a match says of itself where it is asked to."""

    score: float | None
    strength: Strength | None
    paths: list[MatchPlace]
    opens: dict[str, bool | None]  # by our path
    model_key: str


def find_matches(scope: Scope, wanted: Wanted) -> Matches:
    """Blocks; raises as the index does."""
    began = time.monotonic()
    services, view = scope.services, scope.view()
    client_paths = scope.client_paths()
    hits = services.index.search(
        view,
        wanted.model,
        wanted.vectors,
        client_paths,
        wanted.max_results,
        wanted.only,
        wanted.instead,
    )
    standing = wanted.standing
    kept = [hit for hit in hits if standing is None or standing.keeps(hit.base)]
    details = (
        _details(scope, kept, standing, began)
        if standing and wanted.details
        else [None] * len(kept)
    )
    pictures = _pictures(scope, kept, wanted, began)
    ours = {client: path for path, client in (scope.asked or {}).items()}
    matches = [
        _match(hit, *picture, path, ours.get(path, hit.path), detail)
        for hit, picture, detail in zip(kept, pictures, details, strict=True)
        for path in scope.places(hit, client_paths)
    ]
    notes = None
    if standing and wanted.details:
        best = max((hit.base for hit in hits), default=None)
        notes = [*_silence(scope, client_paths, wanted), *standing.notes(best, len(kept))]
    return Matches(matches=matches[: wanted.max_results], notes=notes)


def _silence(scope: Scope, client_paths: dict[str, list[str]] | None, wanted: Wanted) -> list[str]:
    """Why there may be no match, although what is looked for is there."""
    known = scope.view().announced(wanted.model).keys()
    if not known:
        return [f"Nothing in this cache folder is analyzed with {wanted.model} yet."]
    if client_paths is None:
        return []
    found = {path for hash_str in client_paths.keys() & known for path in client_paths[hash_str]}
    asked = (scope.asked or {}).values()
    silent = [
        path for path in asked if path not in found and media_type_of(path) is not MediaType.AUDIO
    ]
    if not silent:
        return []
    many = f", and {len(silent) - 1} more" if len(silent) > 1 else ""
    return [f"Not analyzed with {wanted.model}, or not there: {silent[0]}{many}."]


def _details(
    scope: Scope, hits: Sequence[Hit], standing: Standing, began: float
) -> Sequence[_Details]:
    judge, view = standing.judge, scope.view()
    places = scope.services.caches.places(view, [hit.hash_str for hit in hits], began)
    return [
        _Details(
            None if judge is None else judge.probability(hit.base),
            None if judge is None else judge.strength(hit.base),
            [MatchPlace(path=scope.shown(p), online=opens) for p, opens in places[hit.hash_str]],
            dict(places[hit.hash_str]),
            standing.model,
        )
        for hit in hits
    ]


def _pictures(
    scope: Scope, hits: Sequence[Hit], wanted: Wanted, began: float
) -> Sequence[tuple[str, str | None]]:
    """`image` and `image_url` of each hit."""
    services, cache = scope.services, scope.cache()
    if wanted.images == "url":
        signer = services.picture_addresses.signer()
        place = services.settings.public_path + pictures_path
        folder = str(cache.root)
        frames = (SignedFrame(folder, hit.hash_str, hit.second, wanted.roots) for hit in hits)
        return [("", f"{place}/{token_of(signer, frame)}") for frame in frames]
    if not wanted.images:
        return [("", None)] * len(hits)
    asked = [(hit.hash_str, hit.second) for hit in hits]
    previews = read_previews(scope.view(), asked, services.caches.reader(cache), began)
    return [(_encoded(jpeg or b""), None) for jpeg in previews]


def _match(
    hit: Hit,
    image: str,
    image_url: str | None,
    path: str,
    ours: str | None,
    details: _Details | None,
) -> Match:
    """`path` in the client's form, `ours` as this machine opens it."""
    match = Match(
        frame_idx=str(hit.second),
        timestamp=timestamp(hit.second),
        image=image,
        image_url=image_url,
        scene_start_timestamp=timestamp(hit.scene.start),
        scene_end_timestamp=timestamp(hit.scene.end),
        original_index=hit.row,
        hash_str=hit.hash_str,
        video_path=path,
    )
    if details is not None:
        match.score, match.strength = details.score, details.strength
        match.paths, match.model_key = details.paths, details.model_key
        # A file that is only known by what it holds was opened for that just now.
        match.online = details.opens.get(ours, True) if ours else False
    return match


def _encoded(jpeg: bytes) -> str:
    """Base64 as JSON already: a text would be looked through for what must be escaped."""
    return cast(str, msgspec.Raw(b'"%b"' % pybase64.b64encode(jpeg)))
