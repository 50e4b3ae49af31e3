"""Reading artefacts that are JSON which a user can read."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from shared.cache import cache_files
from shared.errors import CacheError
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import RootedPath


class Formatted(Protocol):
    """What says by which format it was written."""

    @property
    def format(self) -> int: ...


FormattedT = TypeVar("FormattedT", bound=Formatted)


def decoded(
    decoder: msgspec.json.Decoder[FormattedT],
    path: RootedPath,
    limit: int,
    newest: int,
    wait_s: float = 0.0,
) -> FormattedT:
    """What lies there, of a format up to the `newest`. Raises CacheError with a reason.

    `limit`: bytes that are read at most; `wait_s`: as in `cache_files.opened`.
    """
    try:
        with cache_files.opened(path, wait_s) as file:
            found = decoder.decode(file.read(limit))
    except FileNotFoundError as error:
        raise CacheError(f"The file {path.name} is missing.") from error
    except OSError as error:
        raise CacheError(f"{path.name} cannot be read: {error.strerror}.") from error
    except UNDECODABLE as error:
        raise CacheError(f"{path.name} is damaged: {error}.") from error
    if found.format > newest:
        raise CacheError(
            f"{path.name} has format {found.format}, this version of Rushes reads up to "
            f"{newest}: update Rushes."
        )
    return found
