"""faceplugin-fr on real photos: the opt-in model finds faces and tells people apart, too."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.models.specs import DEFAULT_EPS, DEFAULT_MIN_SAMPLES
from tests.contract.models.face_finder import scale_of
from tests.quality.people.face_material import in_the_middle, shrunk, views
from tests.quality.people.test_people_photos import WITH_PEOPLE, check_clusters, faces_of, photos
from tests.quality.search.pictures import held_out_pool
from tests.support.lite_models import face_model
from tests.support.running.long_form import by_form
from tests.support.skip_or_fail import fetched_or_skipped
from workers.models.protocols import FaceFinder
from workers.recluster.types import Rule

pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]

# Its detector takes four times as long as dlib-resnet's, whose test has every view: of views that
# differ in degree alone, the hardest.
OURS = ("200 px", "50 px", "tilted -25", "dark", "bright", "blurred", "all at once")
EVERY = by_form(short=2, long=1)  # one in so many photos of people
SOME = by_form(short=12, long=2)  # and of those without


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return face_model("faceplugin-fr")


@functools.cache
def seen() -> tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_], NDArray[np.float32]]:
    """Whose, of which photo, in which view, and the row of every labelled face that is found."""
    model = face_model("faceplugin-fr")
    known: list[tuple[str, str, str]] = []
    rows = []
    for photo in photos()[::EVERY]:
        for label, face in faces_of(photo, model):
            for name, rgb in views(photo.picture, face, OURS):
                found = in_the_middle(model.detect(rgb), rgb)
                if found is not None:
                    known.append((label.who, photo.name, name))
                    rows.append(model.embed(model.align(rgb, found)[None])[0])
    who, photo_names, of_views = (np.array(part) for part in zip(*known, strict=True))
    return who, photo_names, of_views, np.array(rows)


def test_every_face_of_the_photos_is_found_and_nothing_else(finder: FaceFinder) -> None:
    for photo in photos():
        small = shrunk(photo.picture)
        labels = [photo.label_of(face, small.size) for face in finder.detect(np.asarray(small))]
        assert None not in labels, f"{photo.name}: something is no face"
        assert len(set(labels)) == len(labels), f"{photo.name}: a face was found twice"
        assert set(labels) >= set(photo.faces), f"{photo.name}: a face was missed"


def test_small_tilted_dark_and_blurred_faces_are_found() -> None:
    """In 7 views of each."""
    tried = len(OURS) * sum(len(photo.faces) for photo in photos()[::EVERY])
    print(f"found {len(seen()[0])} of {tried}")
    assert len(seen()[0]) >= 0.98 * tried


def test_each_person_is_one_cluster_and_no_two_share_one(finder: FaceFinder) -> None:
    """At default parameters, all photos and views: all of them right."""
    who, photo_names, of_views, rows = seen()
    rule = Rule(scale_of(finder), DEFAULT_EPS, DEFAULT_MIN_SAMPLES)
    check_clusters(rows, who, np.arange(len(who)), np.zeros(len(who)), rule)
    media = np.unique(photo_names, return_inverse=True)[1]
    check_clusters(rows, who, media, np.unique(of_views, return_inverse=True)[1], rule)


def test_few_photos_without_people_have_faces(finder: FaceFinder) -> None:
    """Some of them; of all, 2 of 149 photos and 7 of 157 drawings have one."""
    with fetched_or_skipped():
        pool = dict(sorted(held_out_pool().items())[::SOME])
    wrong = []
    for name, path in pool.items():
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        scale = 1280 / max(picture.size)
        large = picture.resize((round(picture.width * scale), round(picture.height * scale)))
        if name not in WITH_PEOPLE and finder.detect(np.asarray(large)):
            wrong.append(name)
    print(f"a face where none is: {wrong} of {len(pool)} photos")
    assert len(wrong) <= 0.05 * len(pool)
