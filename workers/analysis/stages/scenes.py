"""Scene cuts on the 1-frame-per-second grid, from the pictures alone.

A second between two pictures is long: people walk, cameras pan, a bus drives through. Two
pictures are of one shot when they correlate at some shift, when some parts stay what they were,
or when they hold the same colours; a cut is where all say no, more than they do nearby.

* Colour: intersection of histograms (Swain & Ballard, Color Indexing, 1991; Zhang, Kankanhalli &
  Smoliar, Automatic Partitioning of Full-Motion Video, 1993), over chromaticity and brightness
  rank, which a change of exposure leaves alone.
* Structure: normalised correlation of brightness ranks and chromaticity at every shift, by FFT
  over the overlap only (Padfield, Masked Object Registration in the Fourier Domain, 2012).
* Parts: the same correlation block by block, of which the best third counts (blocks as in
  Shahraray, Scene Change Detection and Content-Based Sampling of Video Sequences, 1995).
* The three are weighed by logistic regression (as in Qi, Hauptmann & Liu, Supervised Classification
  for Video Shot Segmentation, 2003) and judged against the neighbours (the idea of PySceneDetect's
  AdaptiveDetector). `tests/quality/media/fit_scenes.py` prints the weights.
* Black bars, which match whatever the film shows, are cut off first, down to what is lit in any of
  the pictures that are compared: neither a logo nor a dark beginning fixes the crop. A row or
  column is of the film when a tenth of it is lit; fewer lit pixels are a subtitle in a bar. What
  counts as lit falls with the picture, so that the dark parts of a dark film are no bars.
* A lone bright picture between two that match is a flash, a flat one without colour (black, white)
  is passed over: the pictures on both sides are compared. Beside a flat one in colour only the
  mean colours are, less their grey: what fades to black or white keeps its hue.

What it cannot see: a cut between two views that look nearly the same; a shot that is on the grid
in no picture, so two cuts within one second count once; where in a dissolve the cut is.
Black between two shots belongs to the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.domain import Scene

Floats = NDArray[np.floating[Any]]
Spectra = NDArray[np.complexfloating[Any, Any]]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
LIT = 20.0  # grey levels: black in full range, its noise, and black in limited range lie below
LIT_OF_BRIGHTEST = 0.25
LIT_SHARE = 0.1  # of a row or column
DIM = 0.9  # times as bright as the line beside it
SMALLEST = 0.1  # of a picture: less is a title or a clock on black


class FilmArea(NamedTuple):
    """A part of a picture, in shares of its height and width."""

    top: float
    bottom: float
    left: float
    right: float

    def cut(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of a picture of any size, as a view."""
        height, width = rgb.shape[:2]
        top, bottom = round(self.top * height), round(self.bottom * height)
        left, right = round(self.left * width), round(self.right * width)
        return rgb[top : max(bottom, top + 1), left : max(right, left + 1)]


WHOLE = FilmArea(0, 1, 0, 1)


def find_lit_area(rgb: NDArray[np.uint8]) -> FilmArea:
    """The lit part of a picture; of one that is black nearly everywhere the whole."""
    luma = rgb.astype(np.float32) @ LUMA
    bright = luma > min(LIT, LIT_OF_BRIGHTEST * luma.max())
    rows, columns = (_ends(luma.mean(axis), bright.mean(axis)) for axis in (1, 0))
    area = FilmArea(*rows, *columns)
    return area if (area.bottom - area.top) * (area.right - area.left) >= SMALLEST else WHOLE


def _ends(light: Floats, shares: Floats) -> tuple[float, float]:
    """From where to where lines of pixels are lit; one that lies half in a bar is left out."""
    found, count = np.flatnonzero(shares > LIT_SHARE), len(light)
    if len(found) < 2:
        return 0, 0
    first, last = int(found[0]), int(found[-1])
    first += first > 0 and light[first] < DIM * light[first + 1]
    last -= last < count - 1 and light[last] < DIM * light[last - 1]
    return first / count, (last + 1) / count


# Weights of the evidence, printed by tests/quality/media/fit_scenes.py.
W_STRUCTURE, W_PARTS, W_COLOUR, BIAS = 5.19, 6.91, 7.35, -10.29
W_CHANGE, W_CALM = 0.92, -0.42
# The fit says -1.67. Lower makes up fewer cuts and, on seeds 1 to 10, misses hardly more.
CUT_BIAS = -2.6

COLUMNS, ROWS = 32, 24  # the picture for structure, whatever its shape
SHIFTS = (48, 64)  # padded size of the correlation: shifts up to half a picture, and more
MIN_OVERLAP = 0.4  # of the picture: less says nothing
BLOCK = 8  # side of the parts
REACH = 1  # how far a part may have moved
BEST_PARTS = 4  # of the 12
COLOUR_WEIGHT = 3.0  # of chromaticity beside brightness rank
NOISE = 0.01  # variance that says nothing: keeps flat parts from matching
FLAT = 3.0  # grey levels of deviation: less is no structure to compare
CHROMA = 0.25  # of all levels between the mean's colours: less in a flat picture is no picture
RECOLOURED = 60.0  # grey levels between mean colours
FLASH = 1.12  # times as bright as both neighbours
FLASH_AT_END = 1.4  # times as bright as the one neighbour, where nothing can confirm it
QUIET = -3.0  # what a neighbour counts as at the ends
BINS = 16  # per chromaticity axis, narrow around grey; times 4 brightness ranks


def _overlaps() -> tuple[Spectra, Floats]:
    window = np.zeros(SHIFTS, np.float32)
    window[:ROWS, :COLUMNS] = 1
    spectrum = np.fft.rfft2(window)
    return spectrum, np.fft.irfft2(spectrum * spectrum.conj(), SHIFTS)


_WINDOW, _COUNTS = _overlaps()
_PIXELS = np.maximum(_COUNTS, 1)
_TOO_FEW = _COUNTS < MIN_OVERLAP * ROWS * COLUMNS


@dataclass(frozen=True, slots=True)
class Signature:
    """What is compared of one picture.

    `before` and `after` hold, for every shift, the sums of each channel (and last, of the
    squares) over the part that overlaps a later and an earlier picture.
    """

    mean: Floats  # colour
    deviation: float
    colours: Floats
    channels: Floats
    spectra: Spectra
    before: Floats
    after: Floats

    @property
    def is_flat(self) -> bool:
        return self.deviation < FLAT

    @property
    def is_blank(self) -> bool:
        """Black, grey or white all over: no picture to compare."""
        return self.is_flat and float(np.ptp(self.mean)) <= CHROMA * 255


def _shrink(rgb: NDArray[np.uint8]) -> Floats:
    """Area mean on the ROWS x COLUMNS grid; tiny pictures are enlarged first."""
    height, width = rgb.shape[:2]
    if height < ROWS or width < COLUMNS:
        tall, wide = max(height, ROWS), max(width, COLUMNS)
        rgb = rgb[np.arange(tall) * height // tall][:, np.arange(wide) * width // wide]
        height, width = tall, wide
    rows = np.linspace(0, height, ROWS + 1).astype(int)
    columns = np.linspace(0, width, COLUMNS + 1).astype(int)
    sums: Floats = np.add.reduceat(rgb.astype(np.float32), rows[:-1], axis=0)
    sums = np.add.reduceat(sums, columns[:-1], axis=1)
    counts: Floats = np.diff(rows)[:, None] * np.diff(columns).astype(np.float32)
    return sums / counts[..., None]


def _chromaticity(rgb: Floats) -> tuple[Floats, Floats]:
    """Two opponent colours over the total: the same in light and in shade."""
    total = rgb.sum(axis=2) + 12  # keeps noise in the black from becoming colour
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    return (red - green) / total, (blue - (red + green) / 2) / total


def _colours(rgb: NDArray[np.uint8]) -> Floats:
    """Histogram of chromaticity and brightness quarter, a little blurred over its bins."""
    pixels = rgb[::2, ::2].astype(np.float32)
    warm, cold = _chromaticity(pixels)
    luma = (pixels @ LUMA).ravel()
    quarter = np.searchsorted(np.quantile(luma, [0.25, 0.5, 0.75]), luma)
    x, y = (
        np.clip((np.sign(c) * np.sqrt(np.abs(c)) * 0.8 + 0.5) * BINS, 0, BINS - 1).astype(int)
        for c in (warm.ravel(), cold.ravel())
    )
    counts = np.bincount((x * BINS + y) * 4 + quarter, minlength=BINS * BINS * 4)
    histogram: Floats = (counts / counts.sum()).reshape(BINS, BINS, 4)
    for axis in (0, 1):
        aside = np.roll(histogram, 1, axis) + np.roll(histogram, -1, axis)
        histogram = histogram / 2 + aside / 4
    return histogram


def signature(rgb: NDArray[np.uint8]) -> Signature:
    small = _shrink(rgb)
    luma = small @ LUMA
    ranks = np.empty(luma.size, np.float32)
    ranks[np.argsort(luma, axis=None, kind="stable")] = np.linspace(-0.5, 0.5, luma.size)
    warm, cold = _chromaticity(small)
    channels = np.stack(
        [ranks.reshape(luma.shape), COLOUR_WEIGHT * warm, COLOUR_WEIGHT * cold]
    ).astype(np.float32)
    squares = (channels**2).sum(axis=0, keepdims=True)
    spectra = np.fft.rfft2(np.concatenate([channels, squares]), SHIFTS)
    return Signature(
        mean=small.mean(axis=(0, 1)),
        deviation=float(luma.std()),
        colours=_colours(rgb),
        channels=channels,
        spectra=spectra,
        before=np.fft.irfft2(spectra * _WINDOW.conj(), SHIFTS),
        after=np.fft.irfft2(_WINDOW * spectra.conj(), SHIFTS),
    )


def evidence(one: Signature, two: Signature) -> tuple[float, float, float]:
    """How unlike two pictures are: structure at the best shift, their best parts, colours.

    The first two are 1 - correlation (0 alike, 1 unrelated), the last 1 - intersection.
    """
    cross = np.fft.irfft2((one.spectra[:3] * two.spectra[:3].conj()).sum(axis=0), SHIFTS)
    cross -= (one.before[:3] * two.after[:3]).sum(axis=0) / _PIXELS
    spread = [
        np.maximum(sums[3] - (sums[:3] ** 2).sum(axis=0) / _PIXELS, 0) + NOISE * _PIXELS
        for sums in (one.before, two.after)
    ]
    correlation = cross / np.sqrt(spread[0] * spread[1])
    correlation[_TOO_FEW] = -1
    common = np.minimum(one.colours, two.colours).sum()
    return 1 - float(correlation.max()), 1 - _parts(one, two), 1 - float(common)


def _blocks(channels: Floats) -> Floats:
    """[block, channel x pixel], each channel of a block about its mean."""
    rows, columns = ROWS // BLOCK, COLUMNS // BLOCK
    cut = channels.reshape(3, rows, BLOCK, columns, BLOCK).transpose(1, 3, 0, 2, 4)
    flat = cut.reshape(rows * columns, 3, BLOCK * BLOCK)
    centred: Floats = flat - flat.mean(axis=2, keepdims=True)
    return centred.reshape(rows * columns, -1)


def _parts(one: Signature, two: Signature) -> float:
    """Mean correlation of the blocks that agree best, each at its best small shift."""
    later = _blocks(two.channels)
    noise = NOISE * BLOCK * BLOCK
    later_spread = (later**2).sum(axis=1) + noise
    best = np.full(len(later), -1.0)
    padded = np.pad(one.channels, ((0, 0), (REACH, REACH), (REACH, REACH)), mode="edge")
    for down in range(2 * REACH + 1):
        for right in range(2 * REACH + 1):
            earlier = _blocks(padded[:, down : down + ROWS, right : right + COLUMNS])
            spread = np.sqrt(((earlier**2).sum(axis=1) + noise) * later_spread)
            best = np.maximum(best, (earlier * later).sum(axis=1) / spread)
    return float(np.sort(best)[-BEST_PARTS:].mean())


def change(one: Signature, two: Signature) -> float:
    """Log-odds that two pictures are of two shots, kept to -6 .. 6."""
    if one.is_flat or two.is_flat:
        return 6.0 if _is_recoloured(one, two) else -6.0
    structure, parts, colour = evidence(one, two)
    odds = W_STRUCTURE * structure + W_PARTS * parts + W_COLOUR * colour + BIAS
    return min(6.0, max(-6.0, odds))


def _is_recoloured(one: Signature, two: Signature) -> bool:
    """Whether two pictures, of which one is flat, are of different colours."""
    first, second = (each.mean - each.mean.mean() for each in (one, two))
    if one.is_flat and two.is_flat:  # one may be the other in a fade
        strengths = [float(np.linalg.norm(each)) for each in (first, second)]
        second = second * strengths[0] / max(strengths[1], 1.0)
    return bool(np.linalg.norm(first - second) >= RECOLOURED)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is kept of one picture until two more have come."""

    rgb: NDArray[np.uint8]
    lit: FilmArea
    area: FilmArea  # what its signature was taken of
    signature: Signature

    def within(self, area: FilmArea) -> _Seen:
        if area == self.area:
            return self
        return _Seen(self.rgb, self.lit, area, signature(area.cut(self.rgb)))


class SceneCutter:
    """Takes grid pictures in order of time, then tells the scenes."""

    side = 160  # wanted width of the pictures

    def __init__(self) -> None:
        self._first: int | None = None
        self._last = 0
        self._recent: list[_Seen] = []
        # one entry per picture with structure; the changes are to the one before, and to
        # the one before that
        self._seconds: list[int] = []
        self._lumas: list[float] = []
        self._changes: list[float] = []
        self._changes_of_two: list[float] = []

    def add(self, second: int, rgb: NDArray[np.uint8]) -> None:
        """Take the picture of a grid second, [height, width, 3]."""
        if self._first is None:
            self._first = second
        self._last = second
        lit = find_lit_area(rgb)
        new = _Seen(rgb.copy(), lit, lit, signature(lit.cut(rgb)))
        if new.signature.is_blank:
            return
        areas = [seen.lit for seen in (*self._recent, new)]
        tops, bottoms, lefts, rights = zip(*areas, strict=True)
        area = FilmArea(min(tops), max(bottoms), min(lefts), max(rights))
        *recent, new = (seen.within(area) for seen in (*self._recent, new))
        changes = [change(seen.signature, new.signature) for seen in recent]
        if recent and changes[-1] < 0 and new.signature.is_flat > recent[-1].signature.is_flat:
            return  # as good as blank: the shots before and after it are compared
        self._changes.append(changes[-1] if changes else QUIET)
        self._changes_of_two.append(changes[-2] if len(changes) > 1 else QUIET)
        self._seconds.append(second)
        self._lumas.append(float(rgb.mean(axis=(0, 1)) @ LUMA))
        self._recent = [*recent[-1:], new]

    def finish(self) -> tuple[Scene, ...]:
        """Return half-open scenes that cover every second from the first picture to the last."""
        if self._first is None:
            return ()
        cuts = [
            second
            for _, second, changed, calm in self.places()
            if W_CHANGE * changed + W_CALM * calm + CUT_BIAS > 0
        ]
        edges = [self._first, *cuts, self._last + 1]
        return tuple(Scene(a, b) for a, b in pairwise(edges))

    def places(self) -> list[tuple[int, int, float, float]]:
        """The places where a cut could be.

        Of each the seconds of the pictures before and after, the change from one to the other
        with flashes passed over, and that of the calmer side.
        """
        return [
            (self._seconds[i - 1], self._seconds[i], *self._evidence(i))
            for i in range(1, len(self._seconds))
            if not self._is_flash_at_an_end(i)
        ]

    def _evidence(self, i: int) -> tuple[float, float]:
        changed = self._changes[i]
        if self._is_flash(i - 1):
            changed = min(changed, self._changes_of_two[i])
        if self._is_flash(i):
            changed = min(changed, self._changes_of_two[i + 1])
        last = len(self._seconds) - 1
        sides = [self._changes[j] for j in (i - 1, i + 1) if 1 <= j <= last]
        return changed, min(sides, default=QUIET)

    def _is_flash(self, i: int) -> bool:
        if not 0 < i < len(self._lumas) - 1:
            return False
        return self._lumas[i] > FLASH * max(self._lumas[i - 1], self._lumas[i + 1])

    def _is_flash_at_an_end(self, i: int) -> bool:
        """Whether the cut before i would part one bright picture from the rest."""
        lumas = self._lumas
        if i == 1 and len(lumas) > 2:
            return lumas[0] > FLASH_AT_END * lumas[1]
        return i == len(lumas) - 1 and i > 1 and lumas[i] > FLASH_AT_END * lumas[i - 1]
