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
# Models of earlier releases, whose faces still lie in caches: their distances have a scale, and
# nothing else can be done with them.
REMOVED = {"faceplugin-fr": FaceScale(person=0.48, track=0.75)}

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


def known_face_models(weights_dir: Path) -> list[ModelSpec]:
    """Return the built-in face model, and the packs that lie in MODELS_DIR."""
    return [_DLIB, *known_packs(weights_dir)]


def say_removed(key: str, collection: str = "NAME") -> str:
    """Return sentences about a removed model that say how to replace its faces."""
    return (
        f"the face model {key} was removed from Rushes. Its faces and names are kept, but cannot "
        "be grouped again. Analyze the files with another model, names stay: `rushes analyze PATH "
        f"--collection {collection} --no-visual --no-speech --face-model {DLIB}`"
    )


def face_model_is_ready(weights_dir: Path, spec: ModelSpec) -> bool:
    """Whether the weights of a face model lie in MODELS_DIR."""
    if spec.family == "dlib":
        return is_built(weights_dir / spec.key, DLIB_REVISION)
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
