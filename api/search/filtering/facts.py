"""What is known of a MediaFile, as far as files are filtered or sorted by it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.cache.cache_files import ArtefactFacts
from shared.cache.transcripts import has_folder_names
from shared.domain import Probe


class ManifestFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one manifest says: of frames (`model` is ""), or of a transcript. None: nothing.

    `recorded` is in Unix seconds, `size` upright with square pixels, `language` a code of
    shared.models.languages.
    """

    hash_str: str
    model: str
    file: str  # the data file of the artefact
    seconds: float | None = None
    rate: float | None = None
    size: tuple[int, int] | None = None
    codecs: tuple[str, ...] = ()
    sound: bool | None = None
    recorded: float | None = None
    language: str | None = None
    has_folder_names: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.hash_str, self.model

    @classmethod
    def of(cls, hash_str: str, manifest: ArtefactFacts) -> ManifestFacts:
        """The facts of a frames or transcript manifest, which older ones have fewer of."""
        is_spoken = bool(manifest.model)  # only of sound is there a transcript
        found = cls(
            hash_str=hash_str,
            model=manifest.model,
            file=manifest.file,
            language=manifest.language,
            sound=True if is_spoken else None,
            has_folder_names=is_spoken and has_folder_names(manifest),
        )
        probe = manifest.probe
        if probe is None:
            return found
        return msgspec.structs.replace(
            found,
            seconds=probe.duration_seconds,
            rate=probe.fps,
            size=_size(probe),
            codecs=_codecs(probe),
            sound=probe.has_audio,
            recorded=unix_seconds(probe.created_at),
        )


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What all manifests of a MediaFile say together."""

    seconds: float | None = None
    rate: float | None = None
    size: tuple[int, int] | None = None
    codecs: frozenset[str] = frozenset()
    sound: bool | None = None
    recorded: float | None = None
    languages: frozenset[str] = frozenset()


def together(of_file: Mapping[str, ManifestFacts]) -> FileFacts:
    """Facts of one MediaFile, by model: those of its frames come first, and have none."""
    if len(of_file) == 1:
        (found,) = of_file.values()
        languages = frozenset((found.language,) if found.language else ())
        return FileFacts(**_plain(found), codecs=frozenset(found.codecs), languages=languages)
    plain: dict[str, Any] = {}
    for model in sorted(of_file, reverse=True):
        plain |= {name: fact for name, fact in _plain(of_file[model]).items() if fact is not None}
    every = of_file.values()
    return FileFacts(
        **plain,
        codecs=frozenset(codec for facts in every for codec in facts.codecs),
        languages=frozenset(facts.language for facts in every if facts.language),
    )


def _plain(facts: ManifestFacts) -> dict[str, Any]:
    """Facts of which a file has one each."""
    return {
        "seconds": facts.seconds,
        "rate": facts.rate,
        "size": facts.size,
        "sound": facts.sound,
        "recorded": facts.recorded,
    }


def unix_seconds(moment: str | None) -> float | None:
    """A date or time of ISO 8601, in UTC where it names no zone; None for what is none."""
    try:
        found = datetime.fromisoformat(moment or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _size(probe: Probe) -> tuple[int, int] | None:
    width, height = probe.display_width or probe.width, probe.display_height or probe.height
    return (width, height) if width and height else None


def _codecs(probe: Probe) -> tuple[str, ...]:
    every = [probe.video_codec, probe.audio_codec]
    every += [stream.codec for stream in probe.video_streams]
    every += [stream.codec for stream in probe.audio_streams]
    return tuple(dict.fromkeys(codec.lower() for codec in every if codec))
