"""Times of clips that are bounds of scenes, taken as the exact places of those cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from api.exact_cuts import ExactCuts, Film
from api.exports.clips.bodies import ClipBody, ExportClipsBody
from api.exports.timelines.bodies import TimelineBody, TimelineClipBody
from api.http.auth import Access
from api.http.services import CoreServices
from api.http.times import clock_seconds
from shared.errors import BadInput, NotAllowed, UnusablePath

_Clip = ClipBody | TimelineClipBody
_ENDS = ("start_time", "end_time")
WAIT_S = 20.0  # for cuts that are not known yet: a fifth of a second each


@dataclass(frozen=True, slots=True)
class ExportServices(CoreServices):
    """What exports of clips and timelines use: exact times of cuts, keys of signed addresses."""

    access: Access
    exact_cuts: ExactCuts


async def place_at_cuts(
    services: ExportServices, body: ExportClipsBody | TimelineBody
) -> list[str]:
    """Move times that are scenes' bounds, where asked; what there is to say of those that stay.

    Raises BadInput.
    """
    if not body.exact_cuts:
        return []
    cache_dir = body.cache_dir
    clips: Sequence[_Clip] = body.clips
    if cache_dir is None:
        raise BadInput("cache_dir is required for exact_cuts: the folder with the analysis data.")
    films = await services.in_cache_dir(cache_dir, _films, services, cache_dir, clips)
    bounds: dict[str, set[int]] = {path: set() for path in films}
    for clip in clips:
        if clip.media_path in films:
            bounds[clip.media_path] |= {_whole(clip.start_time), _whole(clip.end_time)}
    wanted = {path: times.intersection(films[path].cuts) for path, times in bounds.items()}
    asked = [(films[path], cuts) for path, cuts in wanted.items()]
    found = await services.exact_cuts.find(asked, WAIT_S, services.paths.key_roots)
    places = dict(zip(wanted, found, strict=True))
    warnings = []
    for n, clip in enumerate(clips):
        if clip.media_path in films:
            known = places[clip.media_path]
            inexact = _place(clip, known) | (wanted[clip.media_path] - known.keys())
            warnings += [
                f"clips[{n}].{name} is not exact: that cut could not be found, or lies on the "
                "other side of the clip's other end."
                for name in _ENDS
                if _whole(getattr(clip, name)) in inexact
            ]
    return warnings


def _place(clip: _Clip, places: Mapping[int, float]) -> set[int]:
    """Move the ends of a clip; those that stay, since it would end before it begins."""
    asked = {name: getattr(clip, name) for name in _ENDS}
    moved = {name: places[second] for name in _ENDS if (second := _whole(asked[name])) in places}
    start, end = (_exact((asked | moved)[name]) for name in _ENDS)
    if moved and start is not None and end is not None and end <= start:
        return {_whole(asked[name]) for name in moved}
    for name, place in moved.items():
        setattr(clip, name, place)
    return set()


def _films(services: ExportServices, cache_dir: str, clips: Sequence[_Clip]) -> dict[str, Film]:
    """The clips' files that are analyzed, by the client's path."""
    view = services.caches.open(services.paths.cache(cache_dir))
    films: dict[str, Film] = {}
    for client_path in dict.fromkeys(clip.media_path for clip in clips):
        try:
            path = services.paths.media(client_path, "media_path")
        except (NotAllowed, UnusablePath):  # the export says so
            continue
        hash_str = services.caches.hash_for(view, path)
        if hash_str and (film := Film.of(view.cache, hash_str, path)):
            films[client_path] = film
    return films


def _exact(value: float | str) -> Fraction | None:
    return clock_seconds(value) if isinstance(value, str) else Fraction(value)


def _whole(value: float | str) -> int:
    """A time that may be a second of the grid; -1 for what is none, such as a timecode."""
    seconds = _exact(value)
    return int(seconds) if seconds is not None and float(seconds).is_integer() else -1
