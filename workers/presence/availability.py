"""What this machine sees: the configured roots, and the weights of needed models.

A disk may hang, so each question has a thread of its own, and who wants to know reads what came
last: a heartbeat waits for no share. An answer that is too old is none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models import model_catalogue
from shared.process.periodic import Periodic
from shared.settings import Settings

T = TypeVar("T")

LOOK_EVERY_S = 3.0
STALE_S = 10.0


class Availability:
    """Looks every few seconds, from `start` to `end`. Nobody who asks it waits for a disk."""

    def __init__(self, settings: Settings, every_s: float = LOOK_EVERY_S) -> None:
        self.keys: Mapping[ModelKind, str] = {}  # models whose weights are looked for
        self._settings = settings
        roots = [*(settings.media_roots or ()), *(settings.cache_roots or ())]
        self._roots = {str(root): _DiskQuestion(partial(_is_seen, root), every_s) for root in roots}
        self._weights = _DiskQuestion(self._troubles, every_s)

    def start(self) -> None:
        self._weights.thread.start()
        for look in self._roots.values():
            look.thread.start()

    def end(self) -> None:
        """Waits for nobody: a thread in a folder that hangs ends with the process."""
        self._weights.thread.end(wait_s=0)
        for look in self._roots.values():
            look.thread.end(wait_s=0)

    def roots(self) -> tuple[str, ...]:
        return tuple(root for root, look in self._roots.items() if look.latest())

    def trouble(self, kind: ModelKind, key: str) -> str | None:
        """Why one of the models in `keys` cannot be loaded here, as far as its weights tell."""
        return (self._weights.latest() or {}).get((kind, key))

    def _troubles(self) -> dict[tuple[ModelKind, str], str]:
        found = {}
        for kind, key in tuple(self.keys.items()):
            try:
                spec = model_catalogue.resolve(self._settings, kind, key)
                model_catalogue.require_weights(self._settings, spec)
            except ModelError as error:
                found[kind, key] = error.message
            except OSError as error:
                found[kind, key] = (
                    f"RUSHES_MODELS_DIR: {self._settings.weights_dir} cannot be read "
                    f"({error.strerror or error}). Mend that, or name another folder."
                )
        return found


class _DiskQuestion(Generic[T]):
    """One question to a disk, asked again and again."""

    def __init__(self, ask: Callable[[], T], every_s: float) -> None:
        self.thread = Periodic("availability", self._look, every_s)
        self._ask = ask
        self._answer: tuple[float, T] | None = None  # when, and what

    def _look(self) -> None:
        self._answer = (time.monotonic(), self._ask())

    def latest(self) -> T | None:
        """What was answered last; None where that is too long ago."""
        if self._answer is None or time.monotonic() - self._answer[0] > STALE_S:
            return None
        return self._answer[1]


def _is_seen(root: Path) -> bool:
    try:
        os.statvfs(root)  # network file systems ask the server, whatever they remember
    except OSError:
        return False
    return os.path.isdir(root)
