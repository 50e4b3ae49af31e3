"""Cuts a face out of a picture: turned, scaled and moved so that its landmarks lie as wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_MARGIN = 4  # pixels around what the chip shows, for interpolation


def chip(
    rgb: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    wanted: NDArray[np.float64],
    side: int,
) -> NDArray[np.uint8]:
    """A face cut out of a picture, [side, side, 3]; what lies beyond the picture's edges is black.

    `landmarks` [n, 2] in the picture come as near to `wanted` [n, 2] in the chip as turning,
    scaling and moving allow (least squares).
    """
    turn, move = similarity(wanted, landmarks.astype(np.float64))
    corners = np.array([(0, 0), (side, 0), (0, side), (side, side)], np.float64) @ turn.T + move
    height, width = rgb.shape[:2]
    first = np.clip(np.floor(corners.min(axis=0)).astype(int) - _MARGIN, 0, (width, height))
    end = np.clip(np.ceil(corners.max(axis=0)).astype(int) + _MARGIN, 0, (width, height))
    if (end <= first).any():
        return np.zeros((side, side, 3), np.uint8)
    part = Image.fromarray(rgb[first[1] : end[1], first[0] : end[0]])
    move = move - first
    factor = int(np.hypot(turn[0, 0], turn[1, 0]))  # pixels of the picture for each of the chip
    if factor >= 2:
        part = part.reduce(factor)
        turn, move = turn / factor, move / factor
    numbers = (turn[0, 0], turn[0, 1], move[0], turn[1, 0], turn[1, 1], move[1])
    return np.asarray(
        part.transform((side, side), Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)
    )


def similarity(
    source: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(turn [2, 2], move [2]) with target = turn @ source + move, by least squares."""
    middle, onto = source.mean(axis=0), target.mean(axis=0)
    z, w = ((points - mean) @ (1, 1j) for points, mean in ((source, middle), (target, onto)))
    ratio = np.vdot(z, w) / np.vdot(z, z).real
    turn = np.array([(ratio.real, -ratio.imag), (ratio.imag, ratio.real)])
    return turn, onto - turn @ middle
