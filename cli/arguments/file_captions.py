"""Subtitles and captions that are in files, as commands show and write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from cli.remote import Remote
from shared.clock_times import timestamp

Track = dict[str, Any]
SubtitlesToo = Annotated[
    bool, typer.Option("--subtitles", help="Also subtitles and captions that are in the files.")
]
SubtitlesInstead = Annotated[
    bool,
    typer.Option(
        "--subtitles",
        help="Instead, the subtitles and captions that are in the files: a file for each track.",
    ),
]


def print_captions(server: Remote, item: dict[str, Any]) -> None:
    """The tracks of a file, each under what it is."""
    for track in item.get("captions") or ():
        told = [track["service"], track["language"], track["title"]]
        which = ", ".join(one for one in told if one)
        server.out.line(f"{track['kind']} in the file{f' ({which})' if which else ''}")
        for start, text, _ in track["segments"]:
            server.out.line(f"{timestamp(start)}  {text}")
    tell_missing(server, item)


def tell_missing(server: Remote, item: dict[str, Any]) -> None:
    """Say what captions there are not, and why."""
    path = item["media_path"]
    if item.get("captions") == []:
        server.out.hint(f"{path}: there are no subtitles or captions in it.")
    for warning in item.get("caption_warnings") or ():
        server.out.hint(f"{path}: {warning}")
    if "captions" not in item and "caption_warnings" not in item and not item["error"]:
        server.out.hint(
            f"{path}: nobody has looked for subtitles in it yet; analyze its speech for that."
        )


def files_of(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What sets each track apart in a name, and what is exported of it."""
    for track in item.get("captions") or ():
        exported = {"media_path": item["media_path"], "segments": track["segments"]}
        yield track["language"] or track["service"] or track["kind"], exported
