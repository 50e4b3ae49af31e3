"""The exact bounds of the scenes of matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.exact_cuts import Film
from api.folders import quick_map
from api.search.answers import Match, Matches
from api.search.services import SearchScope
from shared.domain import Scene

WAIT_S = 0.5  # a search is worth no longer wait for what it says beside its matches


async def fill_bounds(scope: SearchScope, answer: Matches) -> None:
    """Fill in what is known, or found in a moment."""
    services = scope.services
    grouped = [match for group in answer.groups or () for match in group.matches]
    matches = [*answer.matches, *grouped]
    films = await services.folders.run(scope.cache_dir, _films, scope, matches)
    wanted: dict[str, dict[int, None]] = {hash_str: {} for hash_str in films}  # best match first
    for match in matches:
        if film := films.get(match.hash_str):
            scene = film.scene_at(int(match.frame_idx))
            wanted[match.hash_str].update(dict.fromkeys(_cuts(film, scene)))
    asked = [(films[hash_str], cuts) for hash_str, cuts in wanted.items()]
    found = await services.exact_cuts.find(asked, WAIT_S, services.paths.key_roots)
    known = dict(zip(wanted, found, strict=True))
    for match in matches:
        if film := films.get(match.hash_str):
            _fill(match, film, known[match.hash_str])


def _films(scope: SearchScope, matches: Sequence[Match]) -> dict[str, Film]:
    view, cache = scope.view(), scope.cache()
    hashes = list(dict.fromkeys(match.hash_str for match in matches))
    places = scope.services.caches.places(view, hashes, scope.began)

    def film_of(hash_str: str) -> Film | None:
        path = next((place.path for place in places[hash_str] if place.opens), None)
        return Film.of(cache, hash_str, path)

    films = zip(hashes, quick_map(view.reader, film_of, hashes), strict=True)
    return {hash_str: film for hash_str, film in films if film is not None}


def _cuts(film: Film, scene: Scene) -> list[int]:
    """The bounds of a scene that are cuts."""
    scenes = film.manifest.scenes
    found = [] if scene == scenes[0] else [scene.start]
    return found if scene == scenes[-1] else [*found, scene.end]


def _fill(match: Match, film: Film, known: Mapping[int, float]) -> None:
    manifest = film.manifest
    scene = film.scene_at(int(match.frame_idx))
    is_first, is_last = scene == manifest.scenes[0], scene == manifest.scenes[-1]
    match.cut_start_seconds = float(scene.start) if is_first else known.get(scene.start)
    length = manifest.probe.duration_seconds if manifest.probe else None
    match.cut_end_seconds = length if is_last else known.get(scene.end)
