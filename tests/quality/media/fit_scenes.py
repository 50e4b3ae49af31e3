"""`python -m tests.quality.media.fit_scenes` prints the weights of analysis/stages/scenes.py.

Two logistic regressions: pictures that follow each other, same shot or not; then, on the changes
that these weights see, cut or not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.quality.media.scene_clips import Picture, load_clips, load_photos
from tests.quality.media.scene_material import film, splice, without_cuts
from workers.analysis.stages import scenes


def logistic(evidence: np.ndarray, truth: np.ndarray, ridge: float = 0.01) -> np.ndarray:
    """Weights, bias last, by Newton's method."""
    columns = np.c_[evidence, np.ones(len(evidence))]
    weights = np.zeros(columns.shape[1])
    for _ in range(50):
        guess = 1 / (1 + np.exp(-columns @ weights))
        slope = columns.T @ (truth - guess) - ridge * weights
        curve = (columns * (guess * (1 - guess) + 1e-9)[:, None]).T @ columns
        weights = weights + np.linalg.solve(curve + ridge * np.eye(len(weights)), slope)
    return weights


Material = Sequence[tuple[str, list[Picture], set[int]]]


def material() -> Material:
    clips, photos = load_clips(), load_photos()
    made = [splice(clips, seed, 120) for seed in (1, 2)] + [film(clips, 48, 240)]
    with_cuts = [("with cuts", m.pictures, set(m.cuts)) for m in made]
    return with_cuts + [(name, shown, set()) for name, shown in without_cuts(clips, photos, 1)]


def pairs(parts: Material) -> tuple[np.ndarray, np.ndarray]:
    """Evidence of every two pictures that follow each other, but for flashes and fades."""
    rows, truth = [], []
    for name, pictures, cuts in parts:
        if "flash" in name or "fade" in name:
            continue
        signatures = [scenes.signature(picture) for picture in pictures]
        for second in range(1, len(signatures)):
            one, two = signatures[second - 1 : second + 1]
            if not one.is_flat and not two.is_flat:
                rows.append(scenes.evidence(one, two))
                truth.append(second in cuts)
    return np.array(rows), np.array(truth, float)


def changes(parts: Material) -> tuple[np.ndarray, np.ndarray]:
    """What SceneCutter sees of every place where a cut could be."""
    rows, truth = [], []
    for _, pictures, cuts in parts:
        cutter = scenes.SceneCutter()
        for second, picture in enumerate(pictures):
            cutter.add(second, picture)
        places = cutter.places()
        rows += [(changed, calm) for _, _, changed, calm in places]
        truth += [bool(cuts & set(range(a + 1, b + 1))) for a, b, _, _ in places]
    return np.array(rows), np.array(truth, float)


def main() -> None:
    parts = material()
    weights = logistic(*pairs(parts))
    print("W_STRUCTURE, W_PARTS, W_COLOUR, BIAS =", ", ".join(f"{w:.2f}" for w in weights))
    scenes.W_STRUCTURE, scenes.W_PARTS, scenes.W_COLOUR, scenes.BIAS = weights
    weights = logistic(*changes(parts))
    print("W_CHANGE, W_CALM, CUT_BIAS =", ", ".join(f"{w:.2f}" for w in weights))


if __name__ == "__main__":
    main()
