"""Small pictures in the terminal: by its own picture protocol, else in half blocks of two colours.

kitty and Ghostty speak kitty's protocol; iTerm2, WezTerm and mintty that of iTerm2. Inside tmux and
screen, which let neither through, and in every other terminal with colours it is half blocks.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from cli.options import option
from cli.terminal.output import CommandOutput, PlainConsole

if TYPE_CHECKING:
    from PIL import Image

PictureMode = Literal["auto", "on", "off"]
_GAP = 2  # columns between pictures
_KITTY_CHUNK = 4096
_COLUMN_PX, _ROW_PX = 10, 20  # sharp enough for a character cell of usual size
_SAVE, _RESTORE = "\x1b7", "\x1b8"


class Protocol(StrEnum):
    """Ways to show a picture on a terminal."""

    KITTY = "kitty"
    ITERM = "iterm"
    BLOCKS = "blocks"


PicturesOption = Annotated[
    PictureMode,
    option(
        "Small pictures beside the results; auto: where the terminal can show them.", "--pictures"
    ),
]


@dataclass(frozen=True, slots=True)
class Box:
    """The most room that one picture may take, in character cells."""

    columns: int = 28
    rows: int = 8


def painter(mode: PictureMode, out: CommandOutput) -> Painter | None:
    """Shows pictures on stdout; None where there are to be none."""
    if mode == "off" or out.as_json:
        return None
    if mode == "on":
        console = PlainConsole(sys.stdout, force_terminal=True, color_system="truecolor")
        return Painter(console, protocol_of(os.environ))
    can = out.console.is_terminal and out.console.color_system in ("truecolor", "256")
    is_bare = out.console.no_color or os.environ.get("TERM", "dumb") in ("dumb", "")
    if not can or is_bare or out.console.encoding != "utf-8":
        return None
    return Painter(out.console, protocol_of(os.environ))


class Painter:
    """Shows pictures with lines of text to their right."""

    def __init__(self, console: Console, protocol: Protocol) -> None:
        self._console, self._protocol = console, protocol

    def show(self, pictures: Sequence[str], lines: Iterable[Text], box: Box = Box()) -> None:
        """Print pictures (base64 JPEG) side by side. One that cannot be read leaves its room."""
        opened = [_opened(picture) for picture in pictures]
        sizes = [_size(picture, box) if picture else (box.columns, 1) for picture in opened]
        grid = Table.grid(padding=(0, _GAP, 0, 0))
        for _ in sizes:
            grid.add_column(width=box.columns)
        grid.add_column(overflow="fold")
        cells = [self._cell(*pair) for pair in zip(opened, sizes, strict=True)]
        grid.add_row(*cells, Text("\n").join(lines))
        height = len(self._console.render_lines(grid, pad=False))
        self._console.print(grid)
        self._lay_over(opened, sizes, height, box)

    def _cell(self, picture: Image.Image | None, size: tuple[int, int]) -> Text:
        if picture is not None and self._protocol is Protocol.BLOCKS:
            return _half_blocks(picture, *size)
        return Text("\n".join(" " * size[1]))

    def _lay_over(
        self,
        pictures: Sequence[Image.Image | None],
        sizes: Sequence[tuple[int, int]],
        height: int,
        box: Box,
    ) -> None:
        """Put pictures over the room that was left for them, `height` rows up."""
        if self._protocol is Protocol.BLOCKS or height >= self._console.height:
            return
        encode = _kitty if self._protocol is Protocol.KITTY else _iterm
        at = 0
        for picture, (columns, rows) in zip(pictures, sizes, strict=True):
            if picture is not None:
                right = f"\x1b[{at}C" if at else ""
                place = f"{_SAVE}\x1b[{height}A\r{right}"
                self._console.file.write(place + encode(picture, columns, rows) + _RESTORE)
            at += box.columns + _GAP
        self._console.file.flush()


def _half_blocks(picture: Image.Image, columns: int, rows: int) -> Text:
    """A picture as text: each character is two pixels, one above the other."""
    small = picture.resize((columns, rows * 2))
    lines = []
    for y in range(0, rows * 2, 2):
        line = Text()
        for x in range(columns):
            upper, lower = (Color.from_rgb(*small.getpixel((x, y + n))) for n in (0, 1))  # type: ignore[misc]
            line.append("▀", Style(color=upper, bgcolor=lower))
        lines.append(line)
    return Text("\n").join(lines)


def protocol_of(environ: Mapping[str, str]) -> Protocol:
    """The Protocol of this environment's terminal, as far as it tells."""
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if "TMUX" in environ or term.startswith(("screen", "tmux")):
        return Protocol.BLOCKS
    if term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty":
        return Protocol.KITTY
    speaks_iterm = program in ("iTerm.app", "WezTerm", "mintty")
    if speaks_iterm or environ.get("LC_TERMINAL") == "iTerm2":
        return Protocol.ITERM
    return Protocol.BLOCKS


def _opened(picture: str) -> Image.Image | None:
    from PIL import Image  # late: only commands that show pictures pay for it

    try:
        return Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    except (OSError, ValueError, binascii.Error):
        return None


def _size(picture: Image.Image, box: Box) -> tuple[int, int]:
    """Columns and rows of a picture in a box; a cell is twice as high as it is wide."""
    scale = min(box.columns / picture.width, 2 * box.rows / picture.height)
    columns = max(1, round(picture.width * scale))
    return min(columns, box.columns), min(max(1, round(picture.height * scale / 2)), box.rows)


def _scaled(picture: Image.Image, columns: int, rows: int, kind: str) -> bytes:
    small = picture.copy()
    small.thumbnail((columns * _COLUMN_PX, rows * _ROW_PX))
    encoded = io.BytesIO()
    small.save(encoded, kind)
    return encoded.getvalue()


def _kitty(picture: Image.Image, columns: int, rows: int) -> str:
    """A picture for kitty: PNG in pieces. C=1: the cursor stays; q=2: the terminal is silent."""
    data = base64.b64encode(_scaled(picture, columns, rows, "PNG")).decode("ascii")
    pieces = [data[at : at + _KITTY_CHUNK] for at in range(0, len(data), _KITTY_CHUNK)]
    control = f"a=T,f=100,q=2,C=1,c={columns},r={rows},"
    escapes = []
    for number, piece in enumerate(pieces):
        more = int(number < len(pieces) - 1)
        escapes.append(f"\x1b_G{control if number == 0 else ''}m={more};{piece}\x1b\\")
    return "".join(escapes)


def _iterm(picture: Image.Image, columns: int, rows: int) -> str:
    content = _scaled(picture, columns, rows, "JPEG")
    how = f"inline=1;size={len(content)};width={columns};height={rows};preserveAspectRatio=0"
    return f"\x1b]1337;File={how}:{base64.b64encode(content).decode('ascii')}\x07"
