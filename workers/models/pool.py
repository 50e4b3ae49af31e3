"""Keeps models warm and lends them: loaded once, shared by all users, unloaded when idle."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, overload

from opentelemetry.trace import get_current_span

from shared.domain import ModelKind
from shared.errors import ModelError, os_errors_as
from shared.models.model_catalogue import resolve
from shared.models.specs import ModelSpec
from shared.process import traces
from shared.process.memory import total_bytes
from shared.process.periodic import Periodic
from shared.redis.heartbeats import HeldModel
from shared.settings import Settings
from workers.models.load import load_faces, load_speech, load_visual
from workers.models.protocols import FaceFinder, Model, Transcriber, VisualEmbedder

_UNKNOWN_MODEL_BYTES = 2_000_000_000
_OVERHEAD = 1.5  # activations and the library's own copies, beside the weights

log = logging.getLogger(__name__)

Loader = Callable[[Settings, ModelSpec], Model]
_LOADERS: dict[ModelKind, Loader] = {
    ModelKind.VISUAL: load_visual,
    ModelKind.SPEECH: load_speech,
    ModelKind.FACES: load_faces,
}
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class PooledModel:
    """What a heartbeat says about one model."""

    kind: ModelKind
    model_key: str
    is_loaded: bool
    is_loading: bool
    users: int
    error: str | None


@dataclass(slots=True)
class _Slot:
    """One model's place. `users` counts waiting ones, too: a wanted model is never unloaded."""

    spec: ModelSpec
    loading: threading.Lock = field(default_factory=threading.Lock)
    model: Model | None = None
    users: int = 0
    last_used: float = 0.0
    is_loading: bool = False
    error: str | None = None


class ModelPool:
    """All models of one process. Threads may share it, and each model while it is lent."""

    def __init__(
        self,
        settings: Settings,
        loaders: Mapping[ModelKind, Loader] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loads: Counter[ModelKind] = Counter()  # since the start
        self._settings = settings
        self._loaders = _LOADERS if loaders is None else loaders
        self._clock = clock
        self._budget: int | None = None
        self._slots: dict[tuple[ModelKind, str], _Slot] = {}
        self._guard = threading.Lock()  # over _slots and their counts; never held while loading
        self._is_closing = False
        self._janitor: Periodic | None = None

    @overload
    def lend(
        self, kind: Literal[ModelKind.VISUAL], key: str
    ) -> AbstractContextManager[VisualEmbedder]: ...

    @overload
    def lend(
        self, kind: Literal[ModelKind.SPEECH], key: str
    ) -> AbstractContextManager[Transcriber]: ...

    @overload
    def lend(
        self, kind: Literal[ModelKind.FACES], key: str
    ) -> AbstractContextManager[FaceFinder]: ...

    @overload
    def lend(self, kind: ModelKind, key: str) -> AbstractContextManager[Model]: ...

    @contextlib.contextmanager
    def lend(self, kind: ModelKind, key: str) -> Iterator[Any]:
        """Lend a model, loaded and warmed up first when it is not. Raises ModelError."""
        slot = self._enter(resolve(self._settings, kind, key))
        try:
            with slot.loading:
                model = slot.model or self._load(slot)
            yield model
        finally:
            with self._guard:
                slot.users -= 1
                slot.last_used = self._clock()

    def states(self) -> list[PooledModel]:
        """Every model that is loaded, loading, wanted or broken, by kind and key."""
        with self._guard:
            return [
                PooledModel(
                    kind=kind,
                    model_key=key,
                    is_loaded=slot.model is not None,
                    is_loading=slot.is_loading,
                    users=slot.users,
                    error=slot.error,
                )
                for (kind, key), slot in sorted(self._slots.items())
                if slot.model is not None or slot.users or slot.error
            ]

    def held(self) -> tuple[HeldModel, ...]:
        """Every model that is in memory or on its way there."""
        with self._guard:
            return tuple(
                HeldModel(kind, key, model_bytes(slot.spec), slot.is_loading)
                for (kind, key), slot in sorted(self._slots.items())
                if slot.model is not None or slot.is_loading
            )

    def unload_idle(self, idle_s: float | None = None) -> list[str]:
        """Unload models unused for `idle_s` (RUSHES_MODEL_IDLE_MINUTES); their keys."""
        limit = self._settings.model_idle_minutes * 60 if idle_s is None else idle_s
        with self._guard:
            now = self._clock()
            gone = [
                self._drop(slot) for slot in self._idle_slots() if now - slot.last_used >= limit
            ]
        if gone:
            release_memory()
            log.info("unloaded idle models: %s", ", ".join(gone))
        return gone

    def close(self) -> None:
        """Unload every model that nobody uses and stop watching for idle ones."""
        self._is_closing = True
        if self._janitor is not None:
            self._janitor.end()
        self.unload_idle(0)

    def _enter(self, spec: ModelSpec) -> _Slot:
        with self._guard:
            slot = self._slots.setdefault((spec.kind, spec.key), _Slot(spec))
            slot.users += 1
            if self._janitor is None and not self._is_closing:
                pause_s = min(
                    _LONGEST_PAUSE_S, max(1.0, self._settings.model_idle_minutes * 60 / 4)
                )
                self._janitor = Periodic(
                    "model-pool", self._unload_idle, pause_s, begins_at_once=False
                )
                self._janitor.start()
            return slot

    @traces.stage("load model")
    def _load(self, slot: _Slot) -> Model:
        """Load and warm up a model, for the first of its users; all others wait."""
        get_current_span().set_attribute("rushes.model", slot.spec.key)
        loader = self._loaders.get(slot.spec.kind)
        if loader is None:
            raise ModelError(f"This version cannot run {slot.spec.kind} models.")
        self._make_room(slot)
        started = self._clock()
        model: Model | None = None
        try:
            # Weights that the disk does not give, or a library that is not there.
            with os_errors_as(ModelError, f"The model {slot.spec.key} cannot be loaded"):
                loaded = loader(self._settings, slot.spec)
                loaded.warmup()
                model = loaded
        except ModelError as error:
            with self._guard:
                slot.error = error.message
            raise
        finally:
            with self._guard:
                slot.is_loading, slot.model = False, model
        with self._guard:
            self.loads[slot.spec.kind] += 1
        log.info("loaded %s in %.1f s", slot.spec.key, self._clock() - started)
        return model

    def _make_room(self, wanted: _Slot) -> None:
        """Unload idle models, the longest unused first, until the one that loads now fits."""
        if self._budget is None:
            self._budget = memory_budget(self._settings)
        need = model_bytes(wanted.spec)
        if need > self._budget:
            raise ModelError(
                f"{wanted.spec.key} needs about {need / 1e6:.0f} MB, more than the "
                f"{self._budget / 1e6:.0f} MB that models may take. Raise "
                "RUSHES_MODEL_MEMORY_MB or choose a smaller model."
            )
        gone = []
        with self._guard:
            held = [s for s in self._slots.values() if s.model is not None or s.is_loading]
            taken = sum(model_bytes(slot.spec) for slot in held)
            for slot in self._idle_slots():
                if taken + need <= self._budget:
                    break
                taken -= model_bytes(slot.spec)
                gone.append(self._drop(slot))
            wanted.is_loading, wanted.error = True, None
        if gone:
            release_memory()
            log.info("unloaded %s to make room for %s", ", ".join(gone), wanted.spec.key)
        if taken + need > self._budget:
            log.warning("%s goes beyond RUSHES_MODEL_MEMORY_MB: others are in use", wanted.spec.key)

    def _idle_slots(self) -> list[_Slot]:
        idle = [s for s in self._slots.values() if s.model is not None and not s.users]
        return sorted(idle, key=lambda slot: slot.last_used)

    @staticmethod
    def _drop(slot: _Slot) -> str:
        slot.model = None
        return slot.spec.key

    def _unload_idle(self) -> None:
        self.unload_idle()


def release_memory() -> None:
    """Give back memory of unloaded models, on the GPU as well when torch was ever loaded.

    glibc keeps freed memory, half of what a speech model took, until it is told to let go.
    """
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def model_bytes(spec: ModelSpec) -> int:
    return int((spec.size_bytes or _UNKNOWN_MODEL_BYTES) * _OVERHEAD)


def memory_budget(settings: Settings) -> int:
    """RUSHES_MODEL_MEMORY_MB in bytes; unset: three quarters of the GPU or half of the RAM."""
    if settings.model_memory_mb is not None:
        return settings.model_memory_mb * 1_000_000
    torch = sys.modules.get("torch")
    on_gpu = settings.device.startswith(("auto", "cuda"))
    if on_gpu and torch is not None and torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(0).total_memory * 3 // 4)
    return total_bytes() // 2
