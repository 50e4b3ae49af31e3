"""Small media for golden data: a video with cuts, one with two faces, a conversation and stills.

The pictures are from scikit-image and in the public domain or CC0; the voices are flite's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.media.media import H264, RGB, also, fill, make_still, write_video
from tests.support.media.photos import known_photos
from tests.support.media.sounds import SoundEncoding, write_sounds
from tests.support.media.speech import RATE
from tests.support.media.voices import uttered

_SIZE = (480, 270)
_SMALL = (320, 180)
_ENCODING = also(H264, fps=2, gop=4, b_frames=0, options={"crf": "30"})
_MADE_AT = 1_790_000_000  # seconds; a fixed time of modification
_FACE = (225, 115, 420)  # the middle and the width of what is shown of the photo, in pixels
_TALK = (
    ("rms", "Good morning, my name is Robert. We will film the harbour today."),
    ("slt", "The weather is fine, and the boats are ready to leave at noon."),
    ("rms", "Then bring the cameras down to the water, and let us begin."),
    ("slt", "I will ask the captain to wait for the second crew."),
)


def make_media(folder: Path) -> list[Path]:
    """Write all files and return their paths."""
    photos = known_photos()
    shots = [photos[name] for name in ("rocket", "coffee", "cat")]
    cuts = (fill(shot, _SMALL) for shot in shots for _ in range(4))
    files = [
        write_video(folder / "cuts.mp4", cuts, encoding=_ENCODING),
        write_video(folder / "faces.mp4", _faces(photos["astronaut"]), encoding=_ENCODING),
        write_video(folder / "late.mp4", (fill(shots[0], _SMALL) for _ in range(2)),
                    encoding=_ENCODING),
        write_sounds(folder / "talk.m4a", [_conversation()], rate=RATE,
                     encoding=SoundEncoding(options={"b": "24k"})),
        make_still(folder / "coffee.jpg", Image.open(photos["coffee"]).resize((300, 200))),
        make_still(folder / "excluded.jpg"),
        make_still(folder / "portrait.jpg", Image.fromarray(_face(photos["astronaut"], 1.6, 1))),
    ]  # fmt: skip
    for file in files:
        os.utime(file, (_MADE_AT, _MADE_AT))
    return files


def _conversation() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    pause = np.zeros(RATE // 2, np.float32)
    return np.concatenate([part for voice, text in _TALK for part in (uttered(text, voice), pause)])


def _faces(photo: Path) -> Iterator[RGB]:
    """Yield one face, made wide, for 3 seconds, then made narrow: two people to the model."""
    for across, down in ((1.6, 1.0), (0.5, 1.0)):
        for _ in range(6):
            yield _face(photo, across, down)


def _face(photo: Path, across: float, down: float) -> RGB:
    x, y, width = _FACE
    height = width * _SIZE[1] / _SIZE[0]
    top = max(0.0, y - height / 2)
    box = (x - width / 2, top, x + width / 2, top + height)
    with Image.open(photo) as opened:
        shown = opened.convert("RGB").resize(_SIZE, Image.Resampling.BICUBIC, box=box)
    shown = shown.resize((round(_SIZE[0] * across), round(_SIZE[1] * down)))
    canvas = Image.new("RGB", _SIZE, (60, 60, 80))
    canvas.paste(shown, ((_SIZE[0] - shown.width) // 2, (_SIZE[1] - shown.height) // 2))
    return np.asarray(canvas)
