"""Where a file comes from, as its tags say it: reel, camera, time of recording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_REEL = ("reel_name", "com.apple.proapps.reel", "reel", "tape")
_MAKE = ("com.apple.quicktime.make", "com.android.manufacturer", "make")
_MODEL = ("com.apple.quicktime.model", "com.android.model", "model")
_CREATED = ("com.apple.quicktime.creationdate", "creation_time", "date")
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d[:-]\d\d[:-]\d\d(?:\.\d+)?)\s*(Z|UTC|[+-]\d\d:?\d\d)?)?"
)
_CLOCK = re.compile(r"(\d\d)[:-](\d\d)[:-](\d\d)")
_NO_YEARS = ("0000", "1601", "1904", "1970")  # where the clocks of containers begin

Tags = Mapping[str, str]


def reel_of(places: Iterable[Tags]) -> str | None:
    return _first(places, _REEL)


def camera_of(places: Iterable[Tags]) -> str | None:
    """Make and model, the make not twice."""
    places = [*places]
    make, model = _first(places, _MAKE), _first(places, _MODEL)
    if make and model and not model.casefold().startswith(make.casefold()):
        return f"{make} {model}"
    return model or make


def created_at(places: Iterable[Tags]) -> str | None:
    """ISO 8601; without a zone where the file states none. A clock that was never set is None."""
    places = [*places]
    for key in _CREATED:
        if moment := iso(_first(places, (key,)) or ""):
            return moment if "T" in moment else _with_clock(moment, places)
    return None


def _with_clock(day: str, places: Iterable[Tags]) -> str:
    """Broadcast wave states day and time of day in two places."""
    clock = _CLOCK.fullmatch(_first(places, ("creation_time",)) or "")
    return f"{day}T{':'.join(clock.groups())}" if clock else day


def iso(text: str) -> str | None:
    """A date as files write it, in ISO 8601."""
    found = _DATE.fullmatch(text.removeprefix("UTC ").strip())
    if not found or found[1][:4] in _NO_YEARS:
        return None
    day, clock, zone = found.groups()
    if clock is None:
        return day
    return f"{day}T{clock.replace('-', ':')}{'Z' if zone == 'UTC' else zone or ''}"


def _first(places: Iterable[Tags], keys: Iterable[str]) -> str | None:
    found = [place for place in places if place]
    for key in keys:
        for place in found:
            for name in (key, key.upper()):
                if text := place.get(name, "").strip():
                    return text
    return None
