"""Steady faces seen from the side make a person, and what only seems to be a face never does."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import av
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from shared.cache.faces import FaceMark
from shared.models.specs import DEFAULT_EPS, DEFAULT_MIN_SAMPLES
from tests.contract.models.face_finder import scale_of
from tests.quality.people import face_material
from tests.quality.people.test_people_photos import WITH_PEOPLE
from tests.quality.search.pictures import held_out_pool
from tests.support.lite_models import face_model
from tests.support.media.photos import SAMPLES
from tests.support.skip_or_fail import fetched_or_skipped
from workers.analysis.face_quality import marks, sharpness, shorter_side
from workers.recluster.people import group_faces
from workers.recluster.tracks import with_steady_unmarked
from workers.recluster.types import FaceSet, Rule

pytestmark = [pytest.mark.quality, pytest.mark.timeout(1800)]

_VERSIONS = 6  # of each picture, as seconds of a film in which nothing but the camera moves
_SOME_PICTURES, _SOME_SECONDS = 40, 40  # one in so many: the tests are the short form


def jittered(picture: Image.Image, seed: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(seed)
    for _ in range(_VERSIONS):
        scale = 1 + random.uniform(-0.03, 0.03)
        across, down = random.uniform(-0.02, 0.02, 2) * picture.size
        moved = picture.transform(
            picture.size,
            Image.Transform.AFFINE,
            (scale, 0, across, 0, scale, down),
            Image.Resampling.BICUBIC,
        )
        yield np.asarray(ImageEnhance.Brightness(moved).enhance(random.uniform(0.9, 1.1)))


class Seen:
    """Faces found in pictures that count as seconds of files."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []
        self.facts: list[tuple[int, int, int, float]] = []  # file, second, marks, score

    def look(self, file: int, second: int, rgb: np.ndarray) -> int:
        model = face_model()
        found = model.detect(rgb)
        for face in found:
            aligned = model.align(rgb, face)
            marked = marks(shorter_side(face), sharpness(aligned), face.landmarks)
            self.rows.append(model.embed(aligned[None])[0])
            self.facts.append((file, second, int(marked), face.score))
        return len(found)

    def faces(self) -> FaceSet:
        files, seconds, marked, scores = (np.array(part) for part in zip(*self.facts, strict=True))
        return FaceSet(
            embeddings=np.array(self.rows, np.float16),
            media_of=files.astype(np.int32),
            seconds=seconds.astype(np.uint32),
            marks=marked.astype(np.uint8),
            quality=np.ones(len(files), np.float32),
            scores=scores.astype(np.float32),
        )


def rule() -> Rule:
    return Rule(scale_of(face_model()), DEFAULT_EPS, DEFAULT_MIN_SAMPLES)


def step(_share: float, _message: str) -> None:
    return


@cache
def in_profile() -> Image.Image:
    """A man who stands beside his camera."""
    with fetched_or_skipped(), Image.open(held_out_pool()["camera.png"]) as opened:
        return opened.convert("RGB")


@pytest.mark.short
def test_a_man_in_profile_is_a_person_in_two_films() -> None:
    """Found in all pictures, each marked, and nobody before."""
    seen = Seen()
    for film in range(4):
        for second, rgb in enumerate(jittered(in_profile(), film)):
            seen.look(film // 2, second + film % 2 * _VERSIONS, rgb)
    faces = seen.faces()
    assert len(faces) == 24
    assert (faces.marks == FaceMark.TURNED).all()
    assert (group_faces(faces, rule(), step).labels < 0).all(), "without the rule he is nobody"
    labels = group_faces(with_steady_unmarked(faces, rule(), step), rule(), step).labels
    print(f"{(labels == 0).sum()} of 24")
    assert (labels == 0).all()


def steady_in_pictures(every: int) -> int:
    """How many faces are taken for somebody's in some of the pictures without people."""
    with fetched_or_skipped():
        pool = held_out_pool()
    seen, names = Seen(), sorted(set(pool) - WITH_PEOPLE)[::every]
    for file, name in enumerate(names):
        with Image.open(pool[name]) as opened:
            picture = opened.convert("RGB")
        scale = face_material.FRAME / max(picture.size)
        large = picture.resize((round(picture.width * scale), round(picture.height * scale)))
        missed = 0
        for second, rgb in enumerate(jittered(large, file)):
            missed += not seen.look(file, second, rgb)
            if missed > _VERSIONS - DEFAULT_MIN_SAMPLES:  # then five seconds cannot be had
                break
    return steady_among(f"{len(names)} pictures", seen)


def steady_in_film(every: int) -> int:
    """The same in a cartoon film, looked at every so many seconds."""
    seen, looked_at = Seen(), 0
    with fetched_or_skipped(), av.open(str(SAMPLES / "clips" / "bbb.mp4")) as film:
        stream = film.streams.video[0]
        for second in range(0, int(stream.duration * stream.time_base), every):
            film.seek(int(second / stream.time_base), stream=stream)
            frame = next(frame for frame in film.decode(stream) if frame.time >= second)
            seen.look(0, looked_at, frame.to_ndarray(format="rgb24"))
            looked_at += 1
    return steady_among(f"{looked_at} seconds", seen)


def steady_among(what: str, seen: Seen) -> int:
    if not seen.facts:
        return 0
    faces = seen.faces()
    steady = int((with_steady_unmarked(faces, rule(), step).marks != faces.marks).sum())
    print(f"{what}, {len(faces)} detections, {steady} steady ones")
    return steady


def test_nothing_in_pictures_without_people_is_taken_for_somebody() -> None:
    assert steady_in_pictures(_SOME_PICTURES) == 0


def test_nothing_in_a_cartoon_film_is_taken_for_somebody() -> None:
    assert steady_in_film(_SOME_SECONDS) == 0


if __name__ == "__main__":  # all of them, as in docs/limits.md: a quarter of an hour
    steady_in_pictures(1)
    steady_in_film(4)
