"""Cuts of old libraries after `rushes scenes refresh`: none that a fresh analysis finds is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import simplejpeg

from shared.domain import Scene
from shared.media import MediaType
from tests.quality.media.refresh_films import RefreshFilm, film_names, make_film
from tests.quality.media.scene_clips import Picture
from tests.support.media.by_path import open_media
from tests.support.running.long_form import by_form
from workers.analysis.scene_refresh import SURE, add_cuts
from workers.analysis.stages import bars
from workers.analysis.stages.scenes import SceneCutter, Signature

pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]
_SHORT = ("party in grey pillars", "black pillars", "white pillars", "slideshow", "dark")


@contextmanager
def earlier_version() -> Iterator[None]:
    """Detect cuts as the version did whose manifests have no `scenes_by`.

    It knew no black bars, and passed over flat frames in colour as it did over grey ones.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bars, "lit", lambda _: bars.WHOLE)
        patched.setattr(Signature, "is_blank", Signature.is_flat)
        yield


def detect(frames: Sequence[tuple[int, Picture]], margin: float = 0.0) -> tuple[Scene, ...]:
    cutter = SceneCutter()
    for second, frame in frames:
        cutter.add(second, frame)
    return cutter.finish(margin)


def decode(film: RefreshFilm) -> tuple[list[tuple[int, Picture]], list[tuple[int, Picture]]]:
    """Return the frames that an analysis sees, and those that it stores, by second."""
    seen, stored = [], []
    with open_media(str(film.path), MediaType.VIDEO) as reader:
        for frame in reader.grid(film.first, film.last):
            picture, side = frame.picture, SceneCutter.side
            height = max(1, round(picture.height * side / picture.width))
            seen.append((frame.second - film.first, picture.rgb(side, height)))
            jpeg = simplejpeg.decode_jpeg(picture.thumbnail_jpeg(), min_width=side, min_height=1)
            stored.append((frame.second - film.first, jpeg))
    return seen, stored


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.short) if name == "black pillars" else name
        for name in by_form(short=_SHORT, long=film_names())
    ],
)
def test_a_refresh_keeps_right_cuts_and_adds_no_wrong_ones(name: str, tmp_path: Path) -> None:
    film = make_film(name, tmp_path)
    seen, stored = decode(film)
    with earlier_version():
        old = detect(seen)
    scenes = [old, detect(seen), detect(stored), add_cuts(old, detect(stored, SURE))]
    before, fresh, replaced, after = ({scene.start for scene in each[1:]} for each in scenes)
    true, added = set(film.cuts), after - before
    print(f"{name}: {len(true)} cuts", end="")
    results = {"old": before, "fresh": fresh, "replaced": replaced, "refreshed": after}
    for version, cuts in results.items():
        print(f", {version} {len(cuts & true)} and {len(cuts - true)} false", end="")
    print(f"; lost by replacing {sorted((before & fresh) - replaced)}; added {sorted(added)}")

    assert before <= after
    assert added <= true | fresh
    if name in ("black pillars", "animation in bars"):
        assert len(added & true) >= 0.75 * len((fresh & true) - before)
