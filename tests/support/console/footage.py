"""A small shoot that a console can show: films a browser can play, and one that it cannot."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tests.support.media.faces_film import film_of
from tests.support.media.media import H264, PRORES, also, make_clip, make_still, picture_video
from tests.support.media.sounds import write_sounds
from tests.support.media.speech import RATE, spoken, together

SAID = "The old lighthouse keeper walked down to the water every morning."
MARKUP = "<img src=x onerror=alert(1)>&amp;.mp4"
_SIZE = (640, 360)
_PRORES = also(PRORES, codec="prores")  # by the encoder that takes a fifth of the time


@dataclass(frozen=True)
class Shoot:
    """The films by what they are."""

    folder: Path
    kitchen: Path  # H.264 with AAC: coffee for 6 s, a cat for 6 s; somebody speaks
    launch: Path  # ProRes: a rocket for 5 s, an astronaut for 5 s
    markup: Path  # a flower, under a name that is full of markup
    cast: Path  # faces of a group
    numbered: Path  # ProRes of 20 s whose pictures have their number in them, 25 a second
    broadcast: Path  # coffee, a cat and a rocket for 4 s each, 24000/1001 pictures a second
    still: Path  # a flower

    @property
    def films(self) -> tuple[Path, ...]:
        return (self.kitchen, self.launch, self.markup, self.cast)


def make_shoot(folder: Path, photos: dict[str, Path]) -> Shoot:
    """Write all of it below `folder`."""
    mute = picture_video(folder / "mute.mp4", [(photos["coffee"], 6), (photos["cat"], 6)])
    voice = together([1.0, spoken(SAID), 1.0])
    sound = write_sounds(folder / "voice.wav", [voice.pcm], rate=RATE)
    kitchen = folder / "Kitchen Ü 1.mp4"
    command = ["ffmpeg", "-v", "error", "-i", mute, "-i", sound, "-c:v", "copy", "-c:a", "aac"]
    subprocess.run([*map(str, command), "-movflags", "+faststart", str(kitchen)], check=True)
    mute.unlink()
    sound.unlink()
    return Shoot(
        folder=folder,
        kitchen=kitchen,
        launch=picture_video(
            folder / "Launch.mov",
            [(photos["rocket"], 5), (photos["astronaut"], 5)],
            size=_SIZE,
            encoding=_PRORES,
        ),
        markup=picture_video(folder / MARKUP, [(photos["flower"], 4)], encoding=H264),
        cast=film_of(folder / "Cast.mp4", [("red", 5), ("nobody", 2), ("hair", 5)]),
        numbered=make_clip(folder / "Numbered.mov", 20, encoding=_PRORES),
        broadcast=picture_video(
            folder / "Broadcast.mp4",
            [(photos[name], 4) for name in ("coffee", "cat", "rocket")],
            size=(320, 180),
            encoding=also(H264, fps=Fraction(24_000, 1001)),
        ),
        still=make_still(folder / "still.jpg", photos["flower"]),
    )
