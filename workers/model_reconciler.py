"""The models that this process should hold: those asked for last, else those of the settings."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

import redis

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.redis import heartbeats
from shared.redis.heartbeats import DesiredModel, ModelState
from shared.settings import Settings
from workers.models.pool import ModelPool

log = logging.getLogger(__name__)

_TRY_AGAIN_S = 30.0
_VISUAL_ONLY = (ModelKind.VISUAL,)


class ModelReconciler:
    """Loads the wanted models, between Items, and says how that stands.

    A visual model is always wanted. One of another kind is wanted once a client has asked for
    it; until then it is loaded by the first file that needs it.
    """

    def __init__(
        self,
        settings: Settings,
        client: redis.Redis,
        pool: ModelPool,
        kinds: Iterable[ModelKind] = _VISUAL_ONLY,
    ) -> None:
        self._settings = settings
        self._client = client
        self._pool = pool
        self._kinds = tuple(kinds)
        self._wanted = {ModelKind.VISUAL: DesiredModel(settings.visual_model, 0)}
        self._met: dict[ModelKind, DesiredModel] = {}
        self._sides: dict[str, int] = {}
        self._failed: dict[tuple[ModelKind, str], tuple[float, str]] = {}  # until when, and why

    def reconcile(self, say: Callable[[str], None]) -> None:
        """Load the wanted models unless that was done. Raises RedisAway."""
        found = heartbeats.desired(self._client, self._settings.instance)
        found.setdefault(ModelKind.VISUAL, DesiredModel(self._settings.visual_model, 0))
        for kind in self._kinds:
            if kind in found:
                self._reconcile(kind, found[kind], say)

    def load(self, key: str, kind: ModelKind = ModelKind.VISUAL) -> bool:
        """Load a model now; a failure is logged and kept for `error_of`."""
        try:
            self._load(kind, key)
        except ModelError as error:
            log.warning("The model %s cannot be loaded: %s", key, error)
            self._failed[kind, key] = (time.monotonic() + _TRY_AGAIN_S, error.message)
            return False
        except Exception as error:
            # A library's own error; a worker that died of it would die again at every start.
            log.exception("Loading the model %s failed", key)
            self._failed[kind, key] = (time.monotonic() + _TRY_AGAIN_S, f"{key} failed: {error}")
            return False
        self._failed.pop((kind, key), None)
        return True

    def error_of(self, key: str, kind: ModelKind = ModelKind.VISUAL) -> str | None:
        """Why the model could not be loaded just now; forgotten after a while, to try again."""
        until, error = self._failed.get((kind, key), (0.0, ""))
        return error if time.monotonic() < until else None

    def side_of(self, key: str) -> int | None:
        """Picture side of a visual model that is loaded at this moment, else None."""
        is_loaded = any(
            s.kind is ModelKind.VISUAL and s.model_key == key and s.is_loaded
            for s in self._pool.states()
        )
        return self._sides.get(key) if is_loaded else None

    def states(self) -> dict[ModelKind, ModelState]:
        """States for the heartbeat: of each kind the wanted model, else the one in use here."""
        states = {}
        for kind in self._kinds:
            found = [state for state in self._pool.states() if state.kind is kind]
            in_use = [s.model_key for s in found if s.is_loaded or s.is_loading]
            wanted = self._wanted.get(kind)
            key = wanted.key if wanted else next(iter(in_use), None)
            if key is None:
                continue
            of_key = [state for state in found if state.model_key == key]
            is_loaded = any(state.is_loaded for state in of_key)
            states[kind] = ModelState(
                model_key=key if is_loaded else None,
                is_loading=any(state.is_loading for state in of_key),
                error=None if is_loaded else self.error_of(key, kind),
            )
        return states

    def _reconcile(self, kind: ModelKind, wanted: DesiredModel, say: Callable[[str], None]) -> None:
        if wanted != self._wanted.get(kind):
            self._wanted[kind] = wanted
            self._failed.pop((kind, wanted.key), None)
        if self._waits_for_a_call(kind, wanted.key):
            return  # until the next look-up
        if wanted != self._met.get(kind) and self.error_of(wanted.key, kind) is None:
            say(f"Loading the model {wanted.key}.")
            if self.load(wanted.key, kind):
                self._met[kind] = wanted

    def _waits_for_a_call(self, kind: ModelKind, key: str) -> bool:
        """Whether a native call left behind by an earlier Item still uses or loads a model."""
        return kind is ModelKind.SPEECH and any(
            state.users for state in self._pool.states() if state.model_key == key
        )

    def _load(self, kind: ModelKind, key: str) -> None:
        if kind is ModelKind.VISUAL:
            with self._pool.lend(kind, key) as model:
                self._sides[key] = model.picture_side
        else:
            with self._pool.lend(kind, key):
                return
