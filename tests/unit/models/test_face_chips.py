"""A face is cut out so that its landmarks lie where the network expects them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.models.faces.dlib_faces import chip

WANTED = np.array([(30, 30), (70, 30), (50, 55), (35, 75), (65, 75)], np.float64)


def marked(points: NDArray[np.float32], side: int, spot: int) -> NDArray[np.uint8]:
    """A black picture with a white spot at each point."""
    rows, columns = np.mgrid[:side, :side]
    near = [np.hypot(columns + 0.5 - x, rows + 0.5 - y) <= spot for x, y in points]
    return np.repeat(np.any(near, axis=0)[..., None] * np.uint8(255), 3, axis=2)


@pytest.mark.parametrize("degrees", [-160, -25, 0, 10, 90])
@pytest.mark.parametrize("scale", [0.4, 1, 2.7, 6])
def test_landmarks_come_to_lie_where_they_are_wanted(degrees: float, scale: float) -> None:
    turn = scale * np.exp(1j * np.deg2rad(degrees))
    turned = (WANTED @ (1, 1j) - (50 + 50j)) * turn + 450 + 400j
    points = np.stack([turned.real, turned.imag], axis=1).astype(np.float32)
    rgb = marked(points, 900, round(5 * scale))
    cut = chip(rgb, points, WANTED, 100)
    assert cut.shape == (100, 100, 3)
    for x, y in WANTED.astype(int):
        assert cut[y - 2 : y + 3, x - 2 : x + 3].mean() > 200
    assert 0.5 < cut.mean() / marked(WANTED.astype(np.float32), 100, 5).mean() < 1.5


def test_what_lies_beyond_the_edges_is_black() -> None:
    rgb = np.full((60, 60, 3), 255, np.uint8)
    cut = chip(rgb, WANTED.astype(np.float32), WANTED, 100)
    assert cut[:58, :58].min() == 255
    assert cut[62:].max() == 0
    assert cut[:, 62:].max() == 0


def test_a_face_that_is_wholly_outside_is_all_black() -> None:
    rgb = np.full((60, 60, 3), 255, np.uint8)
    assert chip(rgb, (WANTED + 500).astype(np.float32), WANTED, 100).max() == 0


def test_landmarks_in_one_point_give_a_chip_all_the_same() -> None:
    """A detector's nonsense ends no file."""
    rgb = np.full((60, 60, 3), 255, np.uint8)
    assert chip(rgb, np.full((5, 2), 30, np.float32), WANTED, 100).shape == (100, 100, 3)
