"""`--where KEY=VALUE`: the filters of the API as they are typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from cli.arguments.media_arguments import seconds, server_path
from cli.options import option
from shared.errors import BadInput

Fields = dict[str, Any]
_PERSON = re.compile(r"(?P<collection>.+)/(?:#(?P<cluster>-?\d+)|(?P<name>[^/]+))")
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
_SIZE = re.compile(r"(\d+)[x×](\d+)")

WhereOption = Annotated[
    list[str],
    option(
        "Only files of which this holds: folder=DIR, watch-folder=ID, "
        "recorded=2026-11-01..2026-11-30, length=0:10..1:00, rate=25, size=3840x2160.., "
        "codec=prores, sound=yes, language=german, person=COLLECTION/NAME. "
        "A range may lack either end. Repeatable.",
        "--where",
        panel="Where",
        metavar="KEY=VALUE",
    ),
]


def filters(where: list[str], any_person: bool = False) -> Fields:
    """The field `filters` of a search; nothing where there is none. Raises BadInput."""
    found: Fields = {}
    for given in where:
        key, is_one, value = given.partition("=")
        read = _KEYS.get(key.strip().lower())
        if not is_one or not value.strip() or read is None:
            raise BadInput(f"--where {given}: write KEY=VALUE; keys are {', '.join(_KEYS)}.")
        name, content = read(value.strip())
        if name == "people":
            found.setdefault(name, []).append(content)
        elif name in found:
            raise BadInput(f"--where {given}: {key} is given twice; one file has one.")
        else:
            found[name] = content
    if any_person and "people" in found:
        found["people_mode"] = "or"
    return {"filters": found} if found else {}


def frames_with(persons: list[str], any_person: bool) -> Fields:
    """The fields of a search that let only frames with these people match. Raises BadInput."""
    mode = "or" if any_person else "and"
    return {"people_filter": [person(one) for one in persons], "people_filter_mode": mode}


def person(given: str) -> dict[str, str]:
    """COLLECTION/NAME or COLLECTION/#CLUSTER as the API has it. Raises BadInput."""
    found = _PERSON.fullmatch(given)
    if found is None:
        raise BadInput(
            f"{given} is no person: write COLLECTION/NAME, or COLLECTION/#3 for cluster 3."
        )
    who = {"cluster_job_name": found["collection"]}
    if found["cluster"] is not None:
        return {**who, "cluster_id": found["cluster"]}
    return {**who, "person_name": found["name"]}


def _range(value: str, read: Callable[[str], Any], low: str, high: str) -> Fields:
    """`A..B`, `A..`, `..B`, or `A` for both."""
    start, is_range, end = value.partition("..")
    if not is_range:
        end = start
    bounds = {low: start.strip(), high: end.strip()}
    if not any(bounds.values()):
        raise BadInput(f"{value} is no range: write A..B, A.., ..B or A.")
    return {name: read(bound) for name, bound in bounds.items() if bound}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"{text} is no number.") from None


def _size(value: str) -> Fields:
    found: Fields = {}
    for name, size in _range(value, str, "min", "max").items():
        wide = _SIZE.fullmatch(size)
        if wide is None:
            raise BadInput(f"{size} is no size: write WIDTHxHEIGHT, such as 3840x2160.")
        found |= {f"{name}_width": int(wide[1]), f"{name}_height": int(wide[2])}
    return found


def _sound(value: str) -> bool:
    if value.lower() not in (*_YES, *_NO):
        raise BadInput(f"sound={value}: write sound=yes or sound=no.")
    return value.lower() in _YES


_KEYS: dict[str, Callable[[str], tuple[str, Any]]] = {
    "folder": lambda value: ("folder", server_path(value)),
    "watch-folder": lambda value: ("watch_folder", value),
    "recorded": lambda value: ("recorded", _range(value, str, "from", "to")),
    "length": lambda value: ("seconds", _range(value, seconds, "min", "max")),
    "rate": lambda value: ("rate", _range(value, _number, "min", "max")),
    "size": lambda value: ("size", _size(value)),
    "codec": lambda value: ("codec", value),
    "sound": lambda value: ("sound", _sound(value)),
    "language": lambda value: ("language", value),
    "person": lambda value: ("people", person(value)),
}
