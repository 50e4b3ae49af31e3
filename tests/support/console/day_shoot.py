"""Footage of docs/start/first-day.md: two days, some of which gives an administrator work.

Its pictures may be given on: Big Buck Bunny, street scenes and photos as in
docs/start/first-steps.md.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cli.demo.samples import fetch_samples
from tests.support.console.first_shoot import FAST, cut, write_launch
from tests.support.media.media import truncate
from tests.support.media.photos import SAMPLES

_MEADOW = ((63, 2), (118, 2), (195, 2), (240, 2))  # shots: where they begin, how long they are
_FOREST = ((270, 2), (391, 2))
_LONG = 1_200  # times as long: analyzed in minutes


@dataclass(frozen=True)
class DayShoot:
    """The files by what they are; all lie below `folder`."""

    folder: Path
    meadow: Path
    launch: Path  # a rocket, then an astronaut
    torn: Path  # ends in the middle, until somebody copies `meadow` over it
    notes: Path  # is no film
    forest: Path  # of the second day
    archive: Path  # an hour
    incoming: Path  # an empty folder
    bikes: Path  # lies elsewhere, to be dropped into `incoming`


def make_day_shoot(folder: Path, elsewhere: Path) -> DayShoot:
    """Write all of it."""
    samples = fetch_samples(SAMPLES)
    films = {path.stem: path for path in samples.footage}
    photos = {path.stem: path for path in samples.photos}
    one, two, old = (folder / name for name in ("day1", "day2", "archive"))
    for made in (one, two, old, folder / "incoming"):
        made.mkdir(parents=True)
    meadow = cut(films["bbb"], _MEADOW, one / "Meadow.mp4", *FAST)
    torn = truncate(Path(shutil.copy(meadow, one / "Torn.mp4")), 0.4)
    notes = one / "Notes.mp4"
    notes.write_bytes(b"Scene 3: sunrise, wide.\n" * 100)
    return DayShoot(
        folder=folder,
        meadow=meadow,
        launch=write_launch(one / "Launch.mp4", photos),
        torn=torn,
        notes=notes,
        forest=cut(films["bbb"], _FOREST, two / "Forest.mp4", *FAST),
        archive=_long(films["bbb"], old / "Archive.mp4"),
        incoming=folder / "incoming",
        bikes=cut(films["bikes"], ((0, 4),), elsewhere / "Bikes.mp4", *FAST),
    )


def _long(source: Path, target: Path) -> Path:
    """An hour of the same 3 seconds, of few pictures."""
    short = cut(source, ((300, 3),), target.with_name("short.mp4"), "-r", "2", *FAST)
    command = ["ffmpeg", "-v", "error", "-stream_loop", _LONG - 1, "-i", short, "-c", "copy"]
    subprocess.run([*map(str, command), str(target)], check=True)
    short.unlink()
    return target
