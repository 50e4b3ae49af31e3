"""Matches of a search, as a table, as pictures with text, or as lines for programs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from cli.terminal.output import CommandOutput
from cli.terminal.pictures import Painter
from shared.printable import printable

Match = dict[str, Any]
_FOLDER = re.compile(r".*[/\\]")


def print_paths(matches: Sequence[Match]) -> None:
    """Print `path<TAB>HH:MM:SS` of matches, a line each; a terminal gets no control characters."""
    shown = printable if sys.stdout.isatty() else str
    for match in matches:
        sys.stdout.write(f"{shown(path_of(match))}\t{time_of(match)}\n")


def print_frames(out: CommandOutput, matches: Sequence[Match], painter: Painter | None) -> None:
    """Matches of a visual search, best first."""
    if not matches:
        out.hint("Nothing was found.")
    elif painter is None:
        folder = _say_folder(out, matches)
        is_judged = any("score" in match for match in matches)
        match_is = ["match"] if is_judged else []
        table = Table("", Column("file", overflow="fold"), "time", "scene", *match_is)
        for number, match in enumerate(matches, 1):
            name = path_of(match)[len(folder) :] + offline(match)
            judged = [strength_of(match)] if is_judged else []
            table.add_row(str(number), name, match["timestamp"], scene_of(match), *judged)
        out.show(table)
    else:
        for number, match in enumerate(matches, 1):
            painter.show([match["image"]], _beside(number, match))
            out.line("")


def print_speech(out: CommandOutput, matches: Sequence[Match]) -> None:
    """Matches of a search in transcripts, in the order of the answer."""
    if not matches:
        out.hint("Nothing was found.")
        return
    folder = _say_folder(out, matches)
    is_told_who = any(match.get("speaker") for match in matches)
    is_told_how = any(match.get("matched_by") for match in matches)
    has_captions = any(match.get("kind") for match in matches)
    columns = {"speaker": is_told_who, "by": is_told_how, "in": has_captions}
    more = [name for name, is_there in columns.items() if is_there]
    table = Table("", Column("file", overflow="fold"), "time", *more, "said")
    for number, match in enumerate(matches, 1):
        said_by = [match.get("speaker_name") or match.get("speaker") or ""] if is_told_who else []
        name = path_of(match)[len(folder) :]
        how = [match.get("matched_by") or ""] if is_told_how else []
        kind = [match.get("kind") or ""] if has_captions else []
        table.add_row(str(number), name, time_of(match), *said_by, *how, *kind, match["text"])
    out.show(table)


def path_of(match: Match) -> str:
    """Path of the file of a match, of any search."""
    return str(match.get("video_path") or match["media_path"])


def time_of(match: Match) -> str:
    """Time of a match in its file, `HH:MM:SS`."""
    return str(match.get("timestamp") or match["start_timestamp"])


def scene_of(match: Match) -> str:
    """Scene of a match, `HH:MM:SS-HH:MM:SS`; nothing for a still."""
    start, end = match["scene_start_timestamp"], match["scene_end_timestamp"]
    return "" if start == end else f"{start}-{end}"


def strength_of(match: Match) -> str:
    """How good a match is, such as `strong 0.71`; nothing where nobody knows."""
    return f"{match.get('strength', 'none')} {match['score']:.2f}" if "score" in match else ""


def offline(match: Match) -> str:
    """What is said behind the file of a match that does not open."""
    return " (offline)" if match.get("online") is False else ""


def common_folder(paths: Sequence[str]) -> str:
    """The folder that all paths are in, with its separator; empty where there is none."""
    # Letter by letter, and then back to a separator: it works on paths of any system.
    found = _FOLDER.match(os.path.commonprefix(list(paths)))  # noqa: RUF071
    return found[0] if found else ""


def _say_folder(out: CommandOutput, matches: Sequence[Match]) -> str:
    """Print the folder that all matches are in, so that the table need not repeat it."""
    folder = common_folder([path_of(match) for match in matches])
    if folder:
        out.line(f"in {folder}")
    return folder


def _beside(number: int, match: Match) -> list[Text]:
    path = printable(path_of(match))
    folder = common_folder([path])
    scene = scene_of(match)
    return [
        Text(f"{number}  {path[len(folder) :]}{offline(match)}", style="bold"),
        Text(f"{time_of(match)}  {strength_of(match)}".rstrip()),
        *([Text(f"scene {scene}")] if scene else []),
        Text(folder, style="dim"),
    ]
