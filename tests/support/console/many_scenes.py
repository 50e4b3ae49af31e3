"""A cache folder with more scenes than anybody looks through, as analysis would have made it."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from shared.cache.cache_dir import CacheDir
from shared.domain import Scene
from tests.support.running.long_form import by_form
from tests.support.search.search_data import media_hash, publish, random_units, unit

SCENES = by_form(short=1_500, long=5_000)
_FILES = SCENES // 100
_MODEL, _DIM = "conse-lite0", 384


def many_scenes(folder: Path) -> Path:
    """SCENES of a second, each much like all others; the cache folder."""
    cache = CacheDir.open(folder / "cache", create=True)
    scenes = tuple(Scene(at, at + 1) for at in range(SCENES // _FILES))
    alike = random_units(1, _DIM, _FILES)
    for number in range(_FILES):
        path = folder / f"Reel {number:02}.mp4"
        path.write_text(str(number))
        vectors = unit(alike + 0.5 * random_units(len(scenes), _DIM, number))
        pictures = [_picture(number, second) for second in range(len(scenes))]
        named = {"path": path, "pictures": pictures, "model": _MODEL}
        publish(cache, media_hash(number), vectors, scenes=scenes, **named)
    return folder / "cache"


def _picture(number: int, second: int) -> bytes:
    written = io.BytesIO()
    colour = (5 * number, 2 * second, 128)
    Image.new("RGB", (320, 180), colour).save(written, "JPEG")
    return written.getvalue()
