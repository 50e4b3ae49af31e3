"""`python -m cli.demo FOLDER`: real footage through the public API of a running stack.

Fetches samples, analyzes them with live progress, searches by text, picture and frame, prints the
hits and draws them on a contact sheet. Knows nothing of the server but its API.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.api_client import ApiClient
from cli.demo import contact_sheet
from cli.demo.samples import DemoSamples, fetch_samples
from cli.options import argument, option
from cli.remote import default_server
from cli.terminal.output import PlainConsole
from shared.errors import RushesError

Match = dict[str, Any]
HITS = 5  # of each search
# Things that the lite model knows by name: docs/limits.md says what it does not know.
TEXTS = (
    *("a bicycle", "a taxi cab", "a bow tie", "a cup of espresso", "a temple", "a dahlia flower"),
    *("a rabbit", "a squirrel", "a picket fence"),
)
FRAME_FILE, FRAME_SECOND = "bbb.mp4", 191
console = PlainConsole(sys.stdout)


class DemoFailed(RushesError):
    """The demo did not come to its end."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running Rushes, and the cache folder that the demo uses."""

    api: ApiClient
    cache_dir: Path

    def post(self, path: str, **body: Any) -> Any:
        return self.api.post(path, {"cache_dir": str(self.cache_dir), **body})

    def search(self, kind: str, **body: Any) -> list[Match]:
        """Matches of a search, best first."""
        matches: list[Match] = self.post(f"/search/{kind}", **body)["matches"]
        return matches


@dataclass(frozen=True, slots=True)
class Search:
    """One search and what it found; `example` is the picture it was made with."""

    kind: str
    asked: str
    matches: list[Match]
    example: Path | None = None


def demo(
    folder: Annotated[Path, argument("Where results go: the cache and the sheet.")],
    url: Annotated[str, option("The server. Default: RUSHES_PORT on loopback.")] = "",
    key_file: Annotated[
        Path | None, option("File with a Pro key. Default: STATE_DIR/first-key.")
    ] = None,
    samples: Annotated[
        Path | None, option("Where samples are kept. Default: FOLDER/samples.")
    ] = None,
    force: Annotated[bool, option("Analyze again what is analyzed already.")] = False,
) -> None:
    """Analyze and search sample footage with a running Rushes."""
    began = time.monotonic()
    folder = folder.absolute()
    fetched = fetch_samples(samples.absolute() if samples else folder / "samples", _say)
    client = ApiClient(
        url or default_server(os.environ),
        _key(key_file or Path(os.environ.get("RUSHES_STATE_DIR", folder / "state")) / "first-key"),
    )
    server = Server(client, folder / "cache")
    try:
        _analyze(server, fetched, force)
        loaded = server.post("/analysis-data/load")
        model = client.get("/models/loaded")["visual"]["model_key"]
        _say(f"loaded {loaded['visual_files']} files, {loaded['frames']} pictures ({model})")
        searches = _search(server, fetched)
    finally:
        client.close()
    _print_hits(searches)
    sheet = folder / "contact-sheet.png"
    contact_sheet.draw(
        sheet,
        f"{loaded['frames']} pictures of {loaded['visual_files']} files, model {model}",
        [
            contact_sheet.Row(s.kind, s.asked, [_tile(m) for m in s.matches], s.example)
            for s in searches
        ],
    )
    _say(f"the hits as pictures: {sheet}")
    _say(f"done in {time.monotonic() - began:.0f} s")


def _say(text: str) -> None:
    console.print(f"demo: {text}", soft_wrap=True)


def _key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise DemoFailed(
            f"There is no key in {path} ({error.strerror}): name a file with one by --key-file."
        ) from error


def _analyze(server: Server, samples: DemoSamples, force: bool) -> None:
    paths = [*samples.footage, *samples.photos]
    skips = "" if force else "; what an earlier run has done is kept (--force does it again)"
    _say(f"analyzing {len(samples.footage)} videos and {len(samples.photos)} photos{skips}")
    event: dict[str, Any] = {}
    began = time.monotonic()
    with Progress(
        TextColumn("{task.percentage:3.0f}%"),
        BarColumn(40),
        TextColumn("{task.fields[files]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
        console=console,
    ) as bar:
        line = bar.add_task("", total=100, files="", what="")
        task_id = server.post(
            "/analyze", visual_media_paths=[str(path) for path in paths], force=force
        )["task_id"]
        for event in server.api.follow(task_id):
            bar.update(
                line,
                completed=event["overall_progress"],
                files=f"{event['current']}/{event['total']} files",
                what=f"{event['status']} {Path(event['media_path'] or '').name}",
            )
    for failed in event.get("failed_files") or ():
        _say(f"failed: {failed['media_path']}: {failed['error']}")
    if event["status"] != "completed" or event.get("failed_files"):
        raise DemoFailed(
            f"the analysis ended as {event['status']}: {event.get('error') or event['message']}"
        )
    _say(f"analyzed in {time.monotonic() - began:.1f} s")


def _search(server: Server, samples: DemoSamples) -> list[Search]:
    found = [
        Search("text", text, server.search("text", query=text, max_results=HITS)) for text in TEXTS
    ]
    picture = samples.picture
    matches = server.search("image", image_path=str(picture), max_results=HITS)
    found.append(Search("image", "a motorcycle photo", matches, picture))
    footage = next(path for path in samples.footage if path.name == FRAME_FILE)
    matches = server.search(
        "frame", media_path=str(footage), time_seconds=FRAME_SECOND, max_results=HITS
    )
    minutes, seconds = divmod(FRAME_SECOND, 60)
    found.append(Search("frame", f"{FRAME_FILE} at {minutes:02d}:{seconds:02d}", matches))
    for search in found:
        if not search.matches:
            raise DemoFailed(f"the {search.kind} search for {search.asked} found nothing")
    return found


def _scene(match: Match) -> str:
    start, end = match["scene_start_timestamp"], match["scene_end_timestamp"]
    return "" if start == end else f"{start[3:]}-{end[3:]}"


def _print_hits(searches: list[Search]) -> None:
    table = Table("search", "file", "time", "scene")
    for search in searches:
        for place, match in enumerate(search.matches[:3]):
            table.add_row(
                f"{search.kind}: {search.asked}" if place == 0 else "",
                Path(match["video_path"]).name,
                match["timestamp"],
                _scene(match),
                end_section=place == min(3, len(search.matches)) - 1,
            )
    console.print(table)


def _tile(match: Match) -> contact_sheet.Tile:
    scene = _scene(match)
    detail = f"{match['timestamp']}   scene {scene}" if scene else "photo"
    return contact_sheet.Tile(match["image"], Path(match["video_path"]).name, detail)


def main() -> None:
    """Run the demo; errors end with one sentence on stderr and exit status 1."""
    try:
        typer.run(demo)
    except RushesError as error:
        print(f"demo: {error.message}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
