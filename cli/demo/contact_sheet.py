"""Draws the finds of searches as one PNG."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from cli.commands.search import Match, scene_of
from shared.private_files import replacing

TILE = (288, 162)
GAP, MARGIN, CAPTION = 16, 40, 46
COLUMNS = 5
LABEL = 220  # column with what was asked
HEADER = 110
BACK, PANEL, TEXT, DIM, ACCENT = "#14161a", "#1e2127", "#f2f3f5", "#9aa1ac", "#f5a524"


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
    scale = min(TILE[0] / small.width, TILE[1] / small.height)
    small = small.resize(
        (max(1, round(small.width * scale)), max(1, round(small.height * scale))),
        Image.Resampling.LANCZOS,
    )
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


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


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
