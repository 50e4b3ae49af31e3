"""Calibrations that were made here: by labels for a model, by prompts for a model and a folder."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from shared.cache import cache_files
from shared.errors import CacheError
from shared.models.calibration import Calibration
from shared.msgspec_decoding import UNDECODABLE
from shared.private_files import make_private, publish

_log = logging.getLogger(__name__)
_GROWN = 2  # times the frames: the best of more nonsense is better


class Calibrations:
    """Files in STATE_DIR/calibrations. Replicas on one machine share them."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "calibrations"

    def by_labels(self, model: str) -> Calibration | None:
        """What labels say of a model's scores, in all folders."""
        return self._read(self._path(model))

    def by_prompts(self, model: str, folder: str, rows: int) -> Calibration | None:
        """What prompts said of them in a folder (`CacheView.key`) of about so many frames."""
        found = self._read(self._path(model, folder))
        is_old = found and not found.rows / _GROWN <= rows <= found.rows * _GROWN
        return None if is_old else found

    def note(self, model: str, made: Calibration, folder: str = "") -> None:
        """Keep one; without a folder: for all. Raises CacheError on a full disk."""
        path = self._path(model, folder)
        try:
            make_private(path.parent)
            publish(path, msgspec.json.encode(made))
        except OSError as error:
            raise CacheError(f"RUSHES_STATE_DIR cannot be written: {error.strerror}.") from error

    def forget(self, model: str) -> bool:
        """Forget what labels said; whether there was anything."""
        path = self._path(model)
        was_there = path.exists()
        path.unlink(missing_ok=True)
        return was_there

    def _path(self, model: str, folder: str = "") -> Path:
        return self._folder / folder / f"{cache_files.encoded_model(model)}.json"

    def _read(self, path: Path) -> Calibration | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Calibration)
        except FileNotFoundError:
            return None
        except (OSError, *UNDECODABLE) as error:
            _log.warning("skipped the calibration %s: %s", path, error)
            return None
