"""Which files of a watched folder count, by their names alone."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from shared.media import (
    AUDIO_EXTENSIONS,
    IMAGE_EXTENSIONS,
    UNSUPPORTED_FORMATS,
    VIDEO_EXTENSIONS,
    MediaType,
)
from shared.settings import Settings
from shared.watch.folders import WatchFolder

_TEMPORARY = frozenset(
    ".part .partial .tmp .temp .crdownload .download .filepart .aria2 .opdownload .fdmdownload "
    ".unconfirmed .dltemp .ytdl .swp .!ut .!qb .bc! .td".split()
)


class NameKind(Enum):
    """What a file is to a watched folder."""

    MEDIA = "media"
    UNSUPPORTED = "unsupported"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class NameRules:
    """Of one folder: made once, asked for every name."""

    types: dict[str, MediaType]
    kinds: dict[str, NameKind]
    excluded: tuple[str, ...]
    globs: re.Pattern[str] | None

    @classmethod
    def of(cls, folder: WatchFolder, settings: Settings) -> NameRules:
        types = _media_types()
        for extension, is_added in settings.watch_extensions:
            if is_added:
                types.setdefault(extension, MediaType.VIDEO)
            else:
                types.pop(extension, None)
        kinds = dict.fromkeys(types, NameKind.MEDIA)
        removed = {extension for extension, is_added in settings.watch_extensions if not is_added}
        kinds |= dict.fromkeys(UNSUPPORTED_FORMATS.keys() - removed, NameKind.UNSUPPORTED)
        endings = tuple(filter(None, map(_ending, folder.excluded_extensions)))
        return cls(types, kinds, endings, _compiled(folder.excluded_filename_globs))

    def kind(self, name: str) -> NameKind:
        """Hidden, temporary, excluded or not on the media list: IGNORED."""
        extension = _extension(name)
        kind = self.kinds.get(extension, NameKind.IGNORED)
        if kind is NameKind.IGNORED or is_hidden(name) or _is_temporary(name, extension):
            return NameKind.IGNORED
        return NameKind.IGNORED if self._is_excluded(name) else kind

    def media_type(self, name: str) -> MediaType | None:
        """Of a name on the media list; an extension that a setting added counts as video."""
        return self.types.get(_extension(name))

    def _is_excluded(self, name: str) -> bool:
        if not self.excluded and self.globs is None:
            return False
        folded = _folded(name)
        if self.excluded and folded.endswith(self.excluded):
            return True
        return self.globs is not None and self.globs.match(folded) is not None


def is_hidden(name: str) -> bool:
    """Dot files and dot folders, among them AppleDouble files (`._clip.mov`)."""
    return name.startswith(".")


def _is_temporary(name: str, extension: str) -> bool:
    """A name that programs give to a file which they have not finished."""
    return name.startswith("~") or name.endswith("~") or extension in _TEMPORARY


def _media_types() -> dict[str, MediaType]:
    types: dict[str, MediaType] = {}
    for extensions, media_type in (
        (VIDEO_EXTENSIONS, MediaType.VIDEO),
        (IMAGE_EXTENSIONS, MediaType.IMAGE),
        (AUDIO_EXTENSIONS, MediaType.AUDIO),
    ):
        types.update(dict.fromkeys(extensions, media_type))
    return types


def _extension(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return dot + extension.lower() if stem else ""


def _folded(text: str) -> str:
    """The form in which names are compared: of two that look the same, both are equal."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _ending(excluded: str) -> str:
    bare = _folded(excluded.strip()).lstrip(".")
    return "." + bare if bare else ""


def _compiled(globs: Iterable[str]) -> re.Pattern[str] | None:
    patterns = [fnmatch.translate(_folded(glob)) for glob in globs if glob]
    return re.compile("|".join(patterns)) if patterns else None
