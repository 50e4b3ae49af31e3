"""Whether a file with a known hash is still the file that was analysed.

`hash_str` samples large files, so an edit in place between the samples leaves it as it was. A
changed modification time gives such an edit away; then all bytes are compared by their CRC.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from shared.cache.cache_files import SeenPath
from shared.media import full_crc, is_hashed_whole
from shared.opening import OpenedFile

# Reading more than this only to know it again later would cost minutes on a share; a larger
# file whose modification time changed is analysed again instead.
KEEP_CRC_UP_TO = 2 << 30


def is_same(known: SeenPath | None, file: OpenedFile, checkpoint: Callable[[], None]) -> bool:
    """Whether what is published for the hash may be used for the file as it is now.

    A new place (moved, renamed, copied) is trusted by its hash. Raises as `full_crc` does.
    """
    return is_known_as(known, file.status, lambda: full_crc(file, checkpoint))


def is_known_as(
    known: SeenPath | None, found: os.stat_result, crc: Callable[[], str | None]
) -> bool:
    """Whether what is published may be used; `crc` is asked for only where it decides."""
    if known is None or is_hashed_whole(found.st_size) or known.mtime_ns == found.st_mtime_ns:
        return True
    return known.full_crc is not None and crc() == known.full_crc


def crc_to_keep(file: OpenedFile, checkpoint: Callable[[], None]) -> str | None:
    """The CRC that `is_same` will want; None where it is not needed or not worth its reading."""
    size = file.status.st_size
    if is_hashed_whole(size) or size > KEEP_CRC_UP_TO:
        return None
    return full_crc(file, checkpoint)
