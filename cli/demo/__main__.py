"""`python -m cli.demo FOLDER`: real footage through the public API of a running stack.

Fetches samples, analyzes them with live progress, searches by text, picture and frame, prints the
hits and draws them on a contact sheet. Knows nothing of the server but its API.
"""

from __future__ import annotations

import base64
import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image, ImageDraw, ImageFont, ImageOps

from cli.api_client import ApiClient
from cli.commands.search import Match, print_frames, scene_of
from cli.commands.tasks import finish, follow_to_the_end
from cli.demo.samples import DemoSamples, fetch_samples
from cli.options import argument, option
from cli.remote import Remote, client_of
from cli.terminal.output import CommandOutput
from shared.errors import Missing, RushesError
from shared.private_files import replacing

TILE = (288, 162)
GAP, MARGIN, CAPTION = 16, 40, 46
COLUMNS = 5
LABEL = 220  # column with what was asked
HEADER = 110
BACK, PANEL, TEXT, DIM, ACCENT = "#14161a", "#1e2127", "#f2f3f5", "#9aa1ac", "#f5a524"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
HITS = 5  # of each search
PRINTED = 3  # of these
# Things that the lite model knows by name: docs/limits.md says what it does not know.
TEXTS = (
    *("a bicycle", "a taxi cab", "a bow tie", "a cup of espresso", "a temple", "a dahlia flower"),
    *("a rabbit", "a squirrel", "a picket fence"),
)
FRAME_FILE, FRAME_SECOND = "bbb.mp4", 191
out = CommandOutput(as_json=False)


@dataclass(frozen=True, slots=True)
class Search:
    """One search and its matches, best first; `example` is the picture it was made with."""

    kind: str
    query: str
    matches: list[Match]
    example: Path | None = None


def draw(path: Path, subtitle: str, rows: list[Search]) -> None:
    """Write the contact sheet; it appears whole or not at all."""
    row_height = TILE[1] + CAPTION + GAP
    width = 2 * MARGIN + LABEL + COLUMNS * TILE[0] + (COLUMNS - 1) * GAP
    sheet = Image.new("RGB", (width, HEADER + len(rows) * (row_height + GAP) + MARGIN), BACK)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 30), "What Rushes found", TEXT, ImageFont.load_default(34))
    pen.text((MARGIN, 74), subtitle, DIM, ImageFont.load_default(18))
    for number, row in enumerate(rows):
        _draw_row(sheet, pen, HEADER + number * (row_height + GAP), row)
    with replacing(path, is_private=False) as file:
        sheet.save(file, "PNG")


def _draw_row(sheet: Image.Image, pen: ImageDraw.ImageDraw, top: int, row: Search) -> None:
    pen.line((MARGIN, top, sheet.width - MARGIN, top), PANEL, 2)
    top += GAP
    pen.text((MARGIN, top), f"{row.kind} search", ACCENT, ImageFont.load_default(15))
    font = ImageFont.load_default(22)
    for number, line in enumerate(_wrapped(row.query, font, LABEL - GAP)):
        pen.text((MARGIN, top + 24 + number * 28), line, TEXT, font)
    if row.example is not None:
        with Image.open(row.example) as example:
            small = example.convert("RGB")
        small.thumbnail((LABEL - 2 * GAP, 90))
        sheet.paste(small, (MARGIN, top + TILE[1] - small.height))
    for column, match in enumerate(row.matches[:COLUMNS]):
        left = MARGIN + LABEL + column * (TILE[0] + GAP)
        _draw_tile(sheet, pen, left, top, match)


def _draw_tile(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, left: int, top: int, match: Match
) -> None:
    pen.rectangle((left, top, left + TILE[0] - 1, top + TILE[1] - 1), PANEL)
    with Image.open(io.BytesIO(base64.b64decode(match["image"]))) as preview:
        small = preview.convert("RGB")
    small = ImageOps.contain(small, TILE, Image.Resampling.LANCZOS)
    sheet.paste(small, (left + (TILE[0] - small.width) // 2, top + (TILE[1] - small.height) // 2))
    font = ImageFont.load_default(15)
    pen.text(
        (left, top + TILE[1] + 5),
        _shortened(Path(match["video_path"]).name, font, TILE[0]),
        TEXT,
        font,
    )
    scene = scene_of(match)
    detail = f"{match['timestamp']}   scene {scene}" if scene else "photo"
    pen.text((left, top + TILE[1] + 24), detail, DIM, font)


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [_shortened(line, font, width) for line in lines]


def _shortened(text: str, font: Font, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def demo(
    folder: Annotated[Path, argument("Where results go: the cache and the sheet.")],
    samples: Annotated[
        Path | None, option("Where samples are kept. Default: FOLDER/samples.")
    ] = None,
    force: Annotated[bool, option("Analyze again what is analyzed already.")] = False,
) -> None:
    """Analyze and search sample footage with a running Rushes."""
    began = time.monotonic()
    folder = folder.absolute()
    fetched = fetch_samples(samples.absolute() if samples else folder / "samples", _say)
    api = client_of()
    place = {"cache_dir": str(folder / "cache")}
    try:
        _analyze(api, place, fetched, force)
        loaded = api.post("/analysis-data/load", place)
        model = api.get("/models/loaded")["visual"]["model_key"]
        _say(f"loaded {loaded['visual_files']} files, {loaded['frames']} pictures ({model})")
        searches = _search(api, place, fetched)
    finally:
        api.close()
    for search in searches:
        out.line(f"{search.kind}: {search.query}")
        print_frames(out, search.matches[:PRINTED], None)
    sheet = folder / "contact-sheet.png"
    title = f"{loaded['frames']} pictures of {loaded['visual_files']} files, model {model}"
    draw(sheet, title, searches)
    _say(f"the hits as pictures: {sheet}")
    _say(f"done in {time.monotonic() - began:.0f} s")


def _say(text: str) -> None:
    out.line(f"demo: {text}")


def _analyze(api: ApiClient, place: dict[str, str], samples: DemoSamples, force: bool) -> None:
    """Analyze the samples. Raises typer.Exit where one fails."""
    paths = [str(path) for path in (*samples.footage, *samples.photos)]
    skips = "" if force else "; what an earlier run has done is kept (--force does it again)"
    _say(f"analyzing {len(samples.footage)} videos and {len(samples.photos)} photos{skips}")
    began = time.monotonic()
    task = api.post("/analyze", {**place, "visual_media_paths": paths, "force": force})
    server = Remote(api, out)
    finish(server, follow_to_the_end(server, task["task_id"]))
    _say(f"analyzed in {time.monotonic() - began:.1f} s")


def _search(api: ApiClient, place: dict[str, str], samples: DemoSamples) -> list[Search]:
    def search(kind: str, words: str, example: Path | None = None, **body: Any) -> Search:
        answer = api.post(f"/search/{kind}", {**place, **body, "max_results": HITS})
        if not answer["matches"]:
            raise Missing(f"the {kind} search for {words} found nothing")
        return Search(kind, words, answer["matches"], example)

    picture = samples.picture
    footage = next(path for path in samples.footage if path.name == FRAME_FILE)
    at = f"{FRAME_FILE} at {FRAME_SECOND // 60:02d}:{FRAME_SECOND % 60:02d}"
    return [
        *(search("text", text, query=text) for text in TEXTS),
        search("image", "a motorcycle photo", picture, image_path=str(picture)),
        search("frame", at, media_path=str(footage), time_seconds=FRAME_SECOND),
    ]


def main() -> None:
    """Run the demo; errors end with one sentence on stderr and exit status 1."""
    try:
        typer.run(demo)
    except RushesError as error:
        print(f"demo: {error.message}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
