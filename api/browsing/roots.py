"""Where people begin to look for footage: the roots of their key, else of the server."""

from __future__ import annotations

import os
from pathlib import Path

from api.http.services import CoreServices
from shared.paths import Roots

_USUAL = ("/media", "/mnt", "/Volumes", "/footage", "/")


def media_roots(services: CoreServices) -> Roots:
    """The folders in which media must lie for the licence key of a request."""
    return Roots.media(services.settings).within(services.paths.key_roots)


def beginnings(services: CoreServices) -> list[str]:
    """Folders in our form; some of them may not be there.

    Where everything is allowed: what is watched, and where systems have disks and people.
    """
    roots = media_roots(services).usable()
    if roots is not None:
        return sorted(dict.fromkeys(roots))
    watched = sorted({folder.path for folder in services.watch_folders.all()})
    return list(dict.fromkeys([*watched, str(Path.home()), *_USUAL]))


def parent_of(services: CoreServices, path: str) -> str | None:
    """The folder above, where it may be looked into."""
    above = os.path.dirname(path)
    roots = media_roots(services).usable()
    if above == path or (roots is not None and path in roots):
        return None
    return above
