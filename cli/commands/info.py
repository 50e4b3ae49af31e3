"""`rushes info`: everything that is known of one file, on one screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.arguments.media_arguments import CacheOption, server_path
from cli.options import argument
from cli.remote import Remote, remote
from cli.terminal.output import moment_of, size_of
from shared.clock_times import timestamp
from shared.printable import printable

Line = tuple[str, str]
_ASKED_S = 60.0
_PEOPLE, _SCENES = 8, 12  # that fit on a screen


@remote
def info(
    server: Remote,
    path: Annotated[str, argument("A media file.", metavar="FILE")],
    cache: CacheOption = "",
) -> None:
    """Print all that is known of a file; with --cache also what was made of it.

    The exit status is 1 where nothing is known.
    """
    body: dict[str, Any] = {"media_paths": [server_path(path)]}
    if cache:
        body |= {"cache_dir": server_path(cache), "details": True}
    answer = server.api.post("/media/metadata", body, _ASKED_S)
    (item,), (details,) = answer["media"], answer.get("details", [None])
    if not server.out.document(answer):
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, text in (*_file(item), *_streams(item), *_results(details or {}), *_warned(item)):
            table.add_row(name, Text(printable(text)))
        server.out.show(table)
    if item["media_type"] is None and details is None:
        raise typer.Exit(1)


def _file(item: dict[str, Any]) -> Iterator[Line]:
    yield "file", item["media_path"]
    if item["error"]:
        yield "problem", item["error"]
    if item["hash_str"]:
        yield "hash", item["hash_str"]
    if item["file_size"] is not None:
        yield "size", f"{size_of(item['file_size'])}, changed {moment_of(item['modified_at'])}"
    if item["media_type"]:
        yield "kind", _joined(item["media_type"], item["container"], _bits(item["bit_rate"]))
    if item["duration_seconds"] is not None:
        frames = f"{item['frame_count']:,} frames" if item["frame_count"] else None
        yield "length", _joined(timestamp(item["duration_seconds"]), frames)
    if item["start_timecode"]:
        rate = (item["timecode"] or {}).get("rate")
        yield "timecode", _joined(item["start_timecode"], rate and f"counts {rate}")
    recorded = _joined(item["created_at"], item["camera"], item["reel"] and f"reel {item['reel']}")
    if recorded:
        yield "recorded", recorded


def _streams(item: dict[str, Any]) -> Iterator[Line]:
    rate = f"{item['fps']:g} fps{', uneven' if item['is_vfr'] else ''}" if item["fps"] else None
    for n, stream in enumerate(item["video_streams"]):
        size = f"{stream['width']}×{stream['height']}"
        yield (
            "picture",
            _joined(stream["codec"], stream["profile"], size, rate if n == 0 else None,
                    stream["pixel_format"], _bits(stream["bit_rate"])),
        )  # fmt: skip
    if not item["video_streams"] and item["width"]:
        yield "picture", _joined(item["video_codec"], f"{item['width']}×{item['height']}")
    for stream in item["audio_streams"]:
        channels = stream["layout"] or f"{stream['channels']} channels"
        hertz = f"{stream['sample_rate']:,} Hz" if stream["sample_rate"] else None
        yield (
            "sound",
            _joined(stream["codec"], hertz, channels, stream["language"], stream["title"]),
        )


def _results(details: dict[str, Any]) -> Iterator[Line]:
    for place in details.get("places", ()):
        opens = {True: "", False: " (offline)"}.get(place.get("online"), " (takes long to open)")
        yield "place", place["path"] + opens
    for made in details.get("results", ()):
        what = _joined(made["model_key"], f"{made['count']:,}", moment_of(made["made_at"]))
        yield made["kind"], what
        for warning in made["warnings"]:
            yield "warning", warning
    if scenes := details.get("scenes"):
        begins = [timestamp(scene["start_seconds"]) for scene in scenes[:_SCENES]]
        yield "scenes", f"{len(scenes):,}: {_some(begins, len(scenes))}"
    people = details.get("people", ())
    names = [
        f"{one['name'] or '#' + one['cluster_id']} ({one['cluster_job_name']}, {one['seconds']} s)"
        for one in people[:_PEOPLE]
    ]
    if names:
        yield "people", _some(names, len(people))
    if spoken := details.get("transcript"):
        doubts = f"{spoken['doubts']} doubted" if spoken["doubts"] else None
        many = f"{spoken['segments']:,} segments"
        speech = f"{spoken['speech_seconds']:.0f} s of speech"
        yield "speech", _joined(spoken["language"], many, speech, doubts)
        yield "", f"“{spoken['begin']}”"


def _warned(item: dict[str, Any]) -> Iterator[Line]:
    if item["possibly_modified"]:
        yield "warning", "It was changed since it was analyzed, or is a copy: analyze it again."
    for warning in item["warnings"]:
        yield "warning", warning


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _some(parts: list[str], count: int) -> str:
    more = f", and {count - len(parts):,} more" if count > len(parts) else ""
    return ", ".join(parts) + more


def _bits(rate: int | None) -> str | None:
    return f"{rate / 1e6:.1f} Mbit/s" if rate else None
