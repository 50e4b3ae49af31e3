"""The contact sheet is a PNG whose size follows from its rows, whatever the texts and pictures."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from cli.commands.search import Match
from cli.demo.__main__ import COLUMNS, Search, draw


def tile(width: int, height: int, name: str) -> Match:
    jpeg = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(jpeg, "JPEG")
    return {
        "image": base64.b64encode(jpeg.getvalue()).decode(),
        "video_path": name,
        "timestamp": "00:00:01",
        "scene_start_timestamp": "00:00:00",
        "scene_end_timestamp": "00:00:04",
    }


def test_every_hit_is_on_the_sheet(tmp_path: Path) -> None:
    example = tmp_path / "example.png"
    Image.new("L", (400, 300), 128).save(example)
    rows = [
        Search("text", "a bicycle " * 9, [tile(320, 180, f"{n}.mp4") for n in range(COLUMNS)]),
        Search("image", "like this", [tile(90, 320, "a-very-long-name-" * 5 + "é.mov")], example),
    ]
    one, two = tmp_path / "one.png", tmp_path / "two.png"

    draw(one, "631 pictures", rows[:1])
    draw(two, "631 pictures", rows)

    with Image.open(one) as first, Image.open(two) as second:
        assert first.format == second.format == "PNG"
        assert first.width == second.width
        assert second.height > first.height
        colours = second.getcolors(second.width * second.height) or []
    red = sum(count for count, (r, g, b) in colours if r > 230 and g < 30 and b < 30)
    full_tiles, tall_tile = COLUMNS * 288 * 162, 162 * 162 * 90 // 320
    assert abs(red - full_tiles - tall_tile) < 0.02 * full_tiles
    assert sorted(path.name for path in tmp_path.iterdir()) == ["example.png", "one.png", "two.png"]
