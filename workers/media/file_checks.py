"""What can be said about a file before any decoder sees it."""

from __future__ import annotations

import os

from shared.errors import MediaUnreadable, MediaUnsupported
from shared.media import check_content, unsupported_format
from shared.opening import OpenedFile
from workers.media.budget import check_written


def check_format(path: str) -> None:
    """Raise MediaUnsupported for raw video that no decoder here knows; by its name alone."""
    raw = unsupported_format(path)
    if raw:
        raise MediaUnsupported(
            f"{raw} cannot be decoded here; analyze a proxy or a transcoded copy."
        )


def check_file(file: OpenedFile) -> None:
    """Raise MediaUnreadable or MediaUnsupported for what need not be shown to a decoder."""
    check_format(file.path)
    check_content(file)
    try:
        os.pread(file.fd, 1, 0)
        check_written(file.fd)
    except OSError as error:
        raise MediaUnreadable(f"The file cannot be read: {error.strerror}.") from error
