"""Clips as a command is told them: FILE IN OUT, or what a search found, as JSON."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cli.arguments.media_arguments import server_path
from cli.options import argument, option
from shared.errors import BadInput, os_errors_as
from shared.exports.clips import STILL_S

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")

Clip = dict[str, Any]  # media_path, start_time, end_time and whatever else the API knows

ClipsArgument = Annotated[
    list[str] | None,
    argument(
        "Files with their in and out points: seconds, HH:MM:SS[.mmm] or timecode.",
        metavar="[FILE IN OUT]...",
    ),
]
_PANEL = "Clips of a search"
FromOption = Annotated[
    str,
    option(
        "JSON of `rushes search --json`, or a list of clips; - reads stdin.",
        "--from",
        panel=_PANEL,
        metavar="FILE",
    ),
]
PickOption = Annotated[
    str, option("Only these results, such as 1,3-5.", panel=_PANEL, metavar="NUMBERS")
]
AroundOption = Annotated[
    float | None,
    option(
        "Only so much before and after what was found, not its whole scene.",
        panel=_PANEL,
        metavar="SECONDS",
        min=0.0,
    ),
]


@dataclass(frozen=True, slots=True)
class Picked:
    """Choice among results: which are wanted, and how much of each."""

    numbers: str = ""
    around_s: float | None = None


def clips_of(arguments: Sequence[str] | None, results: str, picked: Picked) -> list[Clip]:
    """The clips in the order in which they are named. Raises BadInput."""
    if bool(arguments) == bool(results):
        raise BadInput(
            "Name clips as FILE IN OUT, or results of a search with --from: one of both."
        )
    if arguments:
        return list(_typed(arguments))
    found = _picked(_entries(results), picked.numbers)
    clips = [_clip(entry, number, picked.around_s) for number, entry in found]
    # Two moments of one scene are one clip.
    return [clip for n, clip in enumerate(clips) if clip not in clips[:n]]


def _typed(words: Sequence[str]) -> Iterator[Clip]:
    if len(words) % 3:
        raise BadInput(f"Clips are named as FILE IN OUT, by three words each, not {len(words)}.")
    for path, start, end in zip(*[iter(words)] * 3, strict=True):
        yield {"media_path": server_path(path), "start_time": _time(start), "end_time": _time(end)}


def _time(word: str) -> float | str:
    return float(word) if _NUMBER.fullmatch(word) else word


def _entries(name: str) -> list[Any]:
    """The list of clips or matches in a JSON document."""
    try:
        with os_errors_as(BadInput, f"--from: {name} cannot be read"):
            text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        if not text.strip():
            raise BadInput("--from: there is nothing to read; has the search failed?")
        found = json.loads(text)
    except ValueError as error:
        raise BadInput("--from: this is no JSON, which `rushes search --json` prints.") from error
    if isinstance(found, dict):
        found = found.get("matches", found.get("clips"))
    if not isinstance(found, list):
        raise BadInput('--from: there is no list of "matches" or "clips" in this JSON.')
    if not found:
        raise BadInput("--from: the list is empty; nothing was found.")
    return found


def _picked(entries: list[Any], numbers: str) -> list[tuple[int, Any]]:
    """The wanted entries with their numbers, from 1, in the order in which they are wanted."""
    if not numbers:
        return list(enumerate(entries, 1))
    wanted: list[int] = []
    for part in numbers.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise BadInput(f"--pick: write numbers such as 1,3-5, not {numbers!r}.")
        ends = int(first), int(last if dash else first)
        if out := [number for number in ends if not 1 <= number <= len(entries)]:
            raise BadInput(f"--pick: there are {len(entries)} results, and none numbered {out[0]}.")
        wanted += range(ends[0], ends[1] + 1)
    return [(number, entries[number - 1]) for number in wanted]


def _clip(entry: Any, number: int, around_s: float | None) -> Clip:
    try:
        if "video_path" in entry:
            return _of_scene(entry, around_s)
        if "start_seconds" in entry:
            start, end = entry["start_seconds"], entry["end_seconds"]
            if around_s is not None:
                start, end = max(0.0, start - around_s), end + around_s
            return {"media_path": entry["media_path"], "start_time": start, "end_time": end}
        clip = dict(entry)
        if clip.keys() >= {"media_path", "start_time", "end_time"}:
            return clip
    except (TypeError, ValueError, KeyError):
        pass
    raise BadInput(f"--from: entry {number} is no match of a search, and no clip.")


def _of_scene(match: Clip, around_s: float | None) -> Clip:
    """The scene of a visual match: to the picture where its cuts are known, else to the second."""
    first, last = (
        float(match.get(f"cut_{end}_seconds", _seconds(match[f"scene_{end}_timestamp"])))
        for end in ("start", "end")
    )
    if first == last:
        first, last = 0.0, STILL_S
    elif around_s is not None:
        found = _seconds(match["timestamp"])
        first, last = max(first, found - around_s), min(last, found + max(around_s, 1.0))
    return {"media_path": match["video_path"], "start_time": first, "end_time": last}


def _seconds(timestamp: str) -> float:
    hours, minutes, seconds = timestamp.split(":")
    return float(int(hours) * 3600 + int(minutes) * 60 + int(seconds))
