"""The CacheDirs of watch folders and analyses, and those that were used here, counted quickly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from api.search.services import SearchServices
from shared.cache.cache_dir import CacheDir
from shared.errors import CacheError, NoCacheFolder, NotAllowed, Unavailable


class KnownFolder(Struct, kw_only=True):
    """A cache folder that this server knows."""

    cache_dir: Annotated[str, Meta(examples=["/footage/.rushes"])]
    """The folder, in the client's form."""
    online: Annotated[bool, Meta(examples=[True])]
    """It is there and answers."""
    files: Annotated[int, Meta(ge=0, examples=[1204])] | None = None
    """Files that are analyzed into it; null: it is away, or counting takes too long now. Only the
    32 that were used last are counted."""
    hours: Annotated[float, Meta(ge=0, examples=[96.5])] | None = None
    """How long they are together; null as above."""
    last_used_at: Annotated[float, Meta(examples=[1764028800.0])] | None = None
    """When it was searched, loaded or analyzed into last, to the hour, in Unix seconds; null: not
    that this server knows of."""


class KnownFolderList(Struct, kw_only=True):
    """Cache folders."""

    folders: list[KnownFolder]
    """Inside the roots of the key; the last used first."""


_WITHIN_S = 2.0
_COUNTED = 32  # of those used last: more would push others out of what is kept at hand


@dataclass(slots=True)
class _FolderCount:
    """What was found out so far; another thread may be at it still."""

    folder: str
    is_counted: bool
    is_allowed: bool = True
    online: bool = False
    files: int | None = None
    hours: float | None = None


def known_folders(services: SearchServices) -> list[KnownFolder]:
    """CacheDirs that the licence key may read, the last used first. Blocks, for seconds at most."""
    used = services.used_cache_dirs()
    looks = [_FolderCount(folder, n < _COUNTED) for n, folder in enumerate(used)]
    services.folders.each(
        looks,
        lambda look: _find_out(services, look),
        lambda look: look.folder,
        lambda look: None,
        within_s=_WITHIN_S,
    )
    return [
        KnownFolder(
            cache_dir=services.paths.back(look.folder),
            online=look.online,
            files=look.files,
            hours=look.hours,
            last_used_at=used[look.folder],
        )
        for look in looks
        if look.is_allowed
    ]


def _find_out(services: SearchServices, look: _FolderCount) -> None:
    # Not by services.caches.open, which counts as a use.
    try:
        cache = CacheDir.open(look.folder, services.paths.cache_roots, create=False)
        look.online = True
        if look.is_counted:
            view = services.caches.follow(cache)
            files = services.index.facts.snapshot(view).files
            look.hours = round(sum(facts.seconds or 0.0 for facts in files.values()) / 3600, 3)
            look.files = len(files)
    except NotAllowed:  # its links lead elsewhere
        look.is_allowed = False
    except (NoCacheFolder, CacheError, Unavailable):
        return
