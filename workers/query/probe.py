"""What a file says about itself, for `/media/metadata`. Runs in child processes."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.errors import MediaUnreadable
from shared.media import media_type_of
from shared.paths import Roots
from workers.analysis.files import check_format
from workers.analysis.probing import probe


def probe_file(roots: Roots, path: str) -> dict[str, Any]:
    """The Probe as a dict of JSON values."""
    roots.check_real(path)
    check_format(path)
    media_type = media_type_of(path)
    if media_type is None:
        raise MediaUnreadable("Its name does not say that it is media.")
    result: dict[str, Any] = msgspec.to_builtins(probe(path, media_type))
    return result
