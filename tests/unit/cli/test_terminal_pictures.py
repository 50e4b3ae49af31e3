"""Pictures in the terminal: which protocol, how large, and where they stand."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image
from rich.text import Text

from cli.terminal.output import PlainConsole
from cli.terminal.pictures import Box, Painter, Protocol, protocol_of

KITTY, ITERM, BLOCKS = Protocol.KITTY, Protocol.ITERM, Protocol.BLOCKS


@pytest.mark.parametrize(
    ("environ", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, KITTY),
        ({"TERM": "xterm-ghostty"}, KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, ITERM),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, ITERM),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, ITERM),  # over ssh
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "iTerm.app", "TMUX": "/tmp/t,1,0"}, BLOCKS),
        ({"TERM": "screen.xterm-256color", "LC_TERMINAL": "iTerm2"}, BLOCKS),
        ({"TERM": "xterm-256color"}, BLOCKS),
        ({}, BLOCKS),
    ],
)
def test_the_protocol_is_the_terminals_own(environ: dict[str, str], protocol: Protocol) -> None:
    assert protocol_of(environ) is protocol


def jpeg(width: int, height: int, colour: tuple[int, int, int] = (200, 30, 40)) -> str:
    encoded = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(encoded, "JPEG", quality=95)
    return base64.b64encode(encoded.getvalue()).decode()


def shown(protocol: Protocol, *pictures: str, box: Box, height: int = 50) -> str:
    """What a terminal of 80 columns is sent."""
    output = io.StringIO()
    console = PlainConsole(
        output, force_terminal=True, color_system="truecolor", width=80, height=height
    )
    Painter(console, protocol).show(pictures, [Text("1  a.mov"), Text("00:00:01")], box)
    return output.getvalue()


@pytest.mark.parametrize(
    ("size", "cells"), [((320, 180), (28, 8)), ((180, 320), (9, 8)), ((320, 40), (28, 2))]
)
def test_a_picture_keeps_its_shape_in_its_box(size, cells) -> None:
    lines = shown(BLOCKS, jpeg(*size), box=Box(28, 8)).splitlines()
    rows = [line.count("▀") for line in lines if "▀" in line]
    assert rows == [cells[0]] * cells[1]
    assert "a.mov" in lines[0]
    assert "00:00:01" in lines[1]


def test_half_blocks_have_the_colours_of_the_picture() -> None:
    text = shown(BLOCKS, jpeg(40, 40, (0, 0, 255)), box=Box(4, 2))
    red, green, blue = (int(part) for part in text.split("38;2;")[1].split("m")[0].split(";")[:3])
    assert (red < 10, green < 10, blue > 245) == (True, True, True)


def test_a_picture_that_cannot_be_read_leaves_its_room() -> None:
    for broken in ("", "no base64!", base64.b64encode(b"no picture").decode()):
        text = shown(BLOCKS, broken, jpeg(40, 40), box=Box(8, 4))
        row = next(line for line in text.splitlines() if "▀" in line)
        assert row.startswith(" " * 10)


@pytest.mark.parametrize(("protocol", "start"), [(KITTY, "\x1b_G"), (ITERM, "\x1b]1337;")])
def test_pictures_are_laid_side_by_side_over_the_rows_left_for_them(protocol, start) -> None:
    text = shown(protocol, jpeg(40, 40), jpeg(40, 40), box=Box(8, 4))
    assert text.count("\n") == 4
    assert f"\x1b7\x1b[4A\r{start}" in text
    assert f"\x1b7\x1b[4A\r\x1b[10C{start}" in text
    assert text.endswith("\x1b8")


def test_no_picture_is_laid_over_rows_that_have_left_the_screen() -> None:
    assert "\x1b_G" not in shown(KITTY, jpeg(40, 40), box=Box(8, 4), height=4)
