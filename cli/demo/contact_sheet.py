"""Draws the finds of searches as one PNG."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from shared.private_files import replacing

TILE = (288, 162)
GAP, MARGIN, CAPTION = 16, 40, 46
COLUMNS = 5
LABEL = 220  # column with what was asked
HEADER = 110
BACK, PANEL, TEXT, DIM, ACCENT = "#14161a", "#1e2127", "#f2f3f5", "#9aa1ac", "#f5a524"


@dataclass(frozen=True, slots=True)
class Tile:
    """One hit: its preview as base64 JPEG and two lines of caption."""

    image: str
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One search and its hits, best first; `example` is the picture it was made with."""

    kind: str
    asked: str
    tiles: list[Tile]
    example: Path | None = None


def draw(path: Path, subtitle: str, rows: list[Row]) -> None:
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


def _draw_row(sheet: Image.Image, pen: ImageDraw.ImageDraw, top: int, row: Row) -> None:
    pen.line((MARGIN, top, sheet.width - MARGIN, top), PANEL, 2)
    top += GAP
    pen.text((MARGIN, top), f"{row.kind} search", ACCENT, ImageFont.load_default(15))
    font = ImageFont.load_default(22)
    for number, line in enumerate(_wrapped(row.asked, font, LABEL - GAP)):
        pen.text((MARGIN, top + 24 + number * 28), line, TEXT, font)
    if row.example is not None:
        with Image.open(row.example) as example:
            small = example.convert("RGB")
        small.thumbnail((LABEL - 2 * GAP, 90))
        sheet.paste(small, (MARGIN, top + TILE[1] - small.height))
    for column, tile in enumerate(row.tiles[:COLUMNS]):
        left = MARGIN + LABEL + column * (TILE[0] + GAP)
        _draw_tile(sheet, pen, left, top, tile)


def _draw_tile(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, left: int, top: int, tile: Tile
) -> None:
    pen.rectangle((left, top, left + TILE[0] - 1, top + TILE[1] - 1), PANEL)
    with Image.open(io.BytesIO(base64.b64decode(tile.image))) as preview:
        small = preview.convert("RGB")
    scale = min(TILE[0] / small.width, TILE[1] / small.height)
    small = small.resize(
        (max(1, round(small.width * scale)), max(1, round(small.height * scale))),
        Image.Resampling.LANCZOS,
    )
    sheet.paste(small, (left + (TILE[0] - small.width) // 2, top + (TILE[1] - small.height) // 2))
    font = ImageFont.load_default(15)
    pen.text((left, top + TILE[1] + 5), _shortened(tile.name, font, TILE[0]), TEXT, font)
    pen.text((left, top + TILE[1] + 24), tile.detail, DIM, font)


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
