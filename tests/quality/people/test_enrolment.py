"""dlib-resnet on real photos: who is enrolled by one photo is found in others, nobody else is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.models.specs import DEFAULT_EPS, DEFAULT_MIN_SAMPLES
from shared.opening import RootedPath
from shared.people.clustering import NO_CLUSTER
from shared.people.enrolment import Enrolment, Reference, References
from shared.people.state import PeopleState
from tests.contract.models.face_finder import scale_of
from tests.quality.people import face_material
from tests.quality.people.test_people_photos import Seen, as_faces, seen
from tests.support.lite_models import face_model
from tests.support.people.clusterings import MODEL, clustering
from workers.recluster.people import group_faces
from workers.recluster.types import Rule

pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]

PHOTO = "200 px"  # the view of a face that people are enrolled by


def state_of(found: Seen, enrolled: dict[str, NDArray[np.float32]], folder: Path) -> PeopleState:
    """The faces grouped at the defaults, each photo a file, with these people enrolled."""
    references = References(RootedPath.alone(folder))
    for name, row in enrolled.items():
        references.add(Enrolment(name, (Reference.of(MODEL, row),)))
    scale = scale_of(face_model())
    media = np.unique(found.photo, return_inverse=True)[1]
    seconds = np.unique(found.view, return_inverse=True)[1]
    rule = Rule(scale, DEFAULT_EPS, DEFAULT_MIN_SAMPLES)
    groups = group_faces(as_faces(found.rows, media, seconds), rule, lambda _s, _m: None)
    labels = np.where(groups.labels == NO_CLUSTER, NO_CLUSTER, groups.labels + 1)
    loose = np.flatnonzero(labels == NO_CLUSTER)
    made = replace(
        clustering(labels.tolist()),
        means=groups.means,
        sizes=groups.sizes,
        loose_embeddings=found.rows[loose].astype(np.float16),
    )
    return PeopleState.of(made, (), references.known(MODEL, scale))


def names_in(state: PeopleState) -> NDArray[np.str_]:
    return np.array([state.names.get(root, "") for root in state.faces.tolist()])


def is_said_right(name: str, who: str) -> bool:
    return name == who or frozenset((name, who)) in face_material.perhaps_one()


@pytest.mark.parametrize("part", [1, 2])
def test_everybody_is_found_by_one_photo_of_the_same_occasion(tmp_path: Path, part: int) -> None:
    """Two pictures of each face are left out: the photo, and its like at 112 pixels."""
    found = seen()
    people = sorted(map(str, set(found.who)))[::part]
    photo_of = {who: found.rows[(found.who == who) & (found.view == PHOTO)][0] for who in people}
    footage = found.take(~np.isin(found.view, [PHOTO, "112 px"]))
    said = names_in(state_of(footage, photo_of, tmp_path))
    right = [is_said_right(*pair) for pair in zip(said, footage.who, strict=True)]
    precision = np.mean([r for r, name in zip(right, said, strict=True) if name])
    recall = np.mean([r for r, who in zip(right, footage.who, strict=True) if who in people])
    print(f"{len(people)} of {len(set(found.who))} enrolled: {precision:.4f}, {recall:.4f}")
    assert precision >= 0.98
    assert recall >= 0.9


def test_a_man_is_found_in_photos_of_other_times(tmp_path: Path) -> None:
    """Each of his photos in turn makes him known, and the film has none of it."""
    found = seen()
    recalls = []
    for number, photo in enumerate(("obama.jpg", "obama2.jpg", "obama3.jpg")):
        is_photo = (found.photo == photo) & (found.view == PHOTO)
        folder = tmp_path / str(number)
        footage = found.take(~np.char.startswith(found.photo, photo.removesuffix(".jpg") + "."))
        said = names_in(state_of(footage, {"obama": found.rows[is_photo][0]}, folder))
        assert set(footage.who[said == "obama"]) <= {"obama"}
        recalls.append(float((said == "obama")[footage.who == "obama"].mean()))
    print(f"found in {', '.join(f'{recall:.2f}' for recall in recalls)} of his other faces")
    assert np.mean(recalls) >= 0.9
    assert min(recalls) >= 0.7
