"""What can be said about a file before any decoder sees it."""

from __future__ import annotations

import os

from shared.errors import MediaMissing, MediaUnreadable, MediaUnsupported
from shared.media import NO_PERMISSION, check_regular, unsupported_format


def check_format(path: str) -> None:
    """Raise MediaUnsupported for raw video that no decoder here knows; reads nothing of it."""
    raw = unsupported_format(path)
    if raw and os.path.exists(path):
        raise MediaUnsupported(
            f"{raw} cannot be decoded here; analyze a proxy or a transcoded copy."
        )


def check_file(path: str) -> None:
    """Check that this is a readable file with content, of a format that may be known.

    Raises MediaMissing, MediaUnreadable or MediaUnsupported.
    """
    check_format(path)
    try:
        check_regular(os.stat(path))
        with open(path, "rb") as file:
            file.read(1)
    except (FileNotFoundError, NotADirectoryError):
        raise MediaMissing from None
    except PermissionError:
        raise MediaUnreadable(NO_PERMISSION) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaUnreadable(f"The file cannot be read: {reason}.") from error
