"""From filters to the MediaFiles that they leave: what is asked is checked, then looked up."""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Callable, Iterator
from unicodedata import normalize

from api.people.filtering import Person, frames_with
from api.search.filtering.facts import FactColumns, Mask, unix_seconds, within
from api.search.filtering.fields import Filters, MomentRange, NumberRange
from api.search.services import SearchScope
from shared.errors import BadInput, Missing
from shared.models.languages import language_code

_SAME_RATE = 0.005  # 23.98 is 24000/1001, and neither 23.97 nor 24 is
_DAY = len("YYYY-MM-DD")
_A_DAY_S = 86_400.0
_CODECS = {
    "h265": "hevc", "h.265": "hevc", "x265": "hevc", "h.264": "h264", "avc": "h264",
    "avc1": "h264", "x264": "h264", "hvc1": "hevc", "mpeg2": "mpeg2video",
    "jpg": "jpeg", "dv": "dvvideo",
}  # fmt: skip

_OF_FACTS = ("seconds", "rate", "recorded", "size", "codec", "sound", "language")

Bounds = tuple[float | None, float | None]


def check(scope: SearchScope, filters: Filters) -> None:
    """Everything about filters that can be wrong. Raises BadInput or NotAllowed, with the cure."""
    for name, (low, high) in _bounds(filters):
        if low is not None and high is not None and low > high:
            raise BadInput(f"filters.{name}: nothing can be both; swap the bounds or drop one.")
    if filters.language is not None:
        if language_code(filters.language, "filters.language") is None:
            raise BadInput("filters.language: name a language; leave it out for any.")
        if filters.sound is False:
            raise BadInput(
                "filters.language: what is spoken has sound; drop it, or drop filters.sound."
            )
    for n, person in enumerate(filters.people):
        if person.person_name is None and person.cluster_id is None:
            raise BadInput(f"filters.people[{n}] needs person_name or cluster_id.")
    _folders(scope, filters)


def files_left(scope: SearchScope, filters: Filters) -> set[str] | None:
    """Hashes of the MediaFiles that checked filters leave; None: all. Blocks."""
    seen = scope.view().seen
    sets = [seen.where(_lies_in(*folder)) for folder in _folders(scope, filters)]
    if filters.people:
        persons = [
            Person(asked.cluster_job_name, asked.person_name, asked.cluster_id)
            for asked in filters.people
        ]
        cache, people = scope.view().cache, scope.services.people
        shown = [set(frames_with(people, cache, [one], "or").files()[0]) for one in persons]
        together = operator.and_ if filters.people_mode == "and" else operator.or_
        sets.append(functools.reduce(together, shown))
    if any(getattr(filters, name) is not None for name in _OF_FACTS):
        columns = scope.services.index.facts.snapshot(scope.view()).columns
        sets.append(columns.left(list(_masks(columns, filters))))
    return set.intersection(*sets) if sets else None


def _folders(scope: SearchScope, filters: Filters) -> list[tuple[str, bool]]:
    """Folders in our form, each with whether what is below it counts too."""
    folders = []
    services = scope.services
    if filters.folder is not None:
        folders.append((services.paths.media(filters.folder, "filters.folder"), True))
    if filters.watch_folder is not None:
        try:
            watched = services.watched_folder(filters.watch_folder)
        except Missing as error:
            raise BadInput(
                f"filters.watch_folder: {error.message} GET /watch-folders lists them."
            ) from None
        folders.append((watched.path, watched.recursive))
    if len(folders) == 2:
        (asked, _), (watched_path, is_deep) = folders
        is_below = _lies_in(watched_path, is_deep)(f"{asked.rstrip('/')}/x")
        if not is_below and not _lies_in(asked, True)(f"{watched_path.rstrip('/')}/x"):
            raise BadInput(
                f"filters.folder: {filters.folder} is not in the watch folder "
                f"{filters.watch_folder}, nor is that in it; drop one of them."
            )
    return folders


def _lies_in(folder: str, is_deep: bool) -> Callable[[str], bool]:
    """Whether a path lies in a folder, however the disk spells what has accents (NFC, NFD)."""
    above = f"{folder.rstrip('/')}/"
    if not above.isascii():
        above = normalize("NFC", above)

        def inside(path: str) -> bool:
            path = normalize("NFC", path)
            return path.startswith(above) and (is_deep or "/" not in path[len(above) :])

        return inside
    if is_deep:
        return lambda path: path.startswith(above)
    return lambda path: path.startswith(above) and os.path.dirname(path) + "/" == above


def _bounds(filters: Filters) -> Iterator[tuple[str, Bounds]]:
    """Each filter that has two bounds, by its name."""
    for name in ("seconds", "rate"):
        asked: NumberRange | None = getattr(filters, name)
        if asked is not None:
            yield name, (asked.min, asked.max)
    if filters.recorded is not None:
        yield "recorded", _moments(filters.recorded)
    if (size := filters.size) is not None:
        yield "size", (size.min_width, size.max_width)
        yield "size", (size.min_height, size.max_height)


def _moments(asked: MomentRange) -> Bounds:
    """Unix seconds. Raises BadInput for what is no date."""
    bounds: list[float | None] = []
    for name, moment in (("from", asked.from_), ("to", asked.to)):
        found = unix_seconds(moment)
        if moment is not None and found is None:
            raise BadInput(f"filters.recorded.{name}: there is no such date as {moment}.")
        is_whole_day = name == "to" and moment is not None and len(moment) == _DAY
        # Cameras write whole seconds, decoders up to six digits: the day ends before the next.
        bounds.append(found + _A_DAY_S - 1e-6 if is_whole_day and found is not None else found)
    return bounds[0], bounds[1]


def _masks(columns: FactColumns, filters: Filters) -> Iterator[Mask]:
    """Of which files each part of what is asked holds."""
    if filters.seconds is not None:
        yield from within(columns.seconds, filters.seconds.min, filters.seconds.max)
    if filters.rate is not None:
        yield from within(columns.rate, filters.rate.min, filters.rate.max, _SAME_RATE)
    if filters.recorded is not None:
        yield from within(columns.recorded, *_moments(filters.recorded))
    if (size := filters.size) is not None:
        yield from within(columns.width, size.min_width, size.max_width)
        yield from within(columns.height, size.min_height, size.max_height)
    if filters.codec is not None:
        name = filters.codec.strip().lower()
        yield columns.among(columns.codecs.get(_CODECS.get(name, name), []))
    if filters.sound is not None:
        yield columns.sound == filters.sound
    if filters.language is not None:
        code = language_code(filters.language, "filters.language") or ""
        yield columns.among(columns.languages.get(code, []))
