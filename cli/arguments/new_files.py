"""Files that a command writes on this machine: never over another unasked."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from cli.arguments.media_arguments import pure_path
from shared.errors import BadInput, ExportError, os_errors_as

_UNFIT = re.compile(r"[^\w-]")
_LONGEST_KIND = 20  # characters


class NewFiles:
    """New files of one extension in one folder, named after media files."""

    def __init__(self, folder: Path, extension: str, is_overwriting: bool) -> None:
        self._folder, self._extension = folder, extension
        self._is_overwriting = is_overwriting
        self._named: set[str] = set()
        with os_errors_as(BadInput, f"{folder} cannot be made a folder"):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, media_path: str, content: bytes, kind: str = "") -> Path:
        """Write `A001.srt` for `A001.mov`; another A001 of the same command gets a longer name.

        `kind`: behind the name, as in `A001.deu.srt`; what no name should have is left out of it.

        Raises ExportError where the file exists and is not to be overwritten.
        """
        media = pure_path(media_path)
        kind = _UNFIT.sub("", kind)[:_LONGEST_KIND]
        names = [media.stem, media.name, *(f"{media.name} ({n})" for n in range(2, 10_000))]
        candidates = (f"{name}.{kind}" if kind else name for name in names)
        stem = next(name for name in candidates if name.lower() not in self._named)
        self._named.add(stem.lower())
        path = self._folder / f"{stem}.{self._extension}"
        write_file(path, content, self._is_overwriting)
        return path


def write_file(path: Path, content: bytes, is_overwriting: bool) -> None:
    """Write a file whole. Raises ExportError where it exists unless `is_overwriting`."""
    place = path.with_name(f".{os.getpid()}.part") if is_overwriting else path
    try:
        with place.open("xb") as file:
            try:
                file.write(content)
                if is_overwriting:
                    file.flush()
                    place.replace(path)
            except OSError:
                with contextlib.suppress(OSError):
                    place.unlink()
                raise
    except FileExistsError:
        raise ExportError(f"{place} exists: --force overwrites it.") from None
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror}.") from error
