"""The models that this process should hold: those asked for last, else those of the settings."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

import redis

from shared.domain import ModelKind
from shared.errors import ModelError
from shared.models.model_catalogue import active_models, models_of, needed_models
from shared.redis.heartbeats import DesiredModel, ModelState
from shared.settings import Settings
from workers.models.pool import ModelPool, PooledModel
from workers.presence.availability import Availability

log = logging.getLogger(__name__)

_TRY_AGAIN_S = 30.0


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
        availability: Availability,
        kinds: Iterable[ModelKind],
    ) -> None:
        self._settings = settings
        self._client = client
        self._pool = pool
        self._availability = availability
        self._kinds = tuple(kinds)
        self._active = models_of(settings)
        availability.keys = self._needed_keys()
        self._met: dict[ModelKind, DesiredModel] = {}
        self._sides: dict[str, int] = {}
        self._failed: dict[tuple[ModelKind, str], tuple[float, str]] = {}  # until when, and why

    def reconcile(self, say: Callable[[str], None], may_load: bool = True) -> bool:
        """Load the wanted models unless that was done; whether nothing is left to be loaded.

        Without `may_load` one that failed before is left until it may be. Raises RedisAway.
        """
        active = active_models(self._client, self._settings)
        for kind in self._kinds:
            if active[kind] != self._active[kind]:
                self._failed.pop((kind, active[kind].key), None)
        self._active = active
        self._availability.keys = self._needed_keys()
        missing = [kind for kind in self._kinds if self._must_load(kind)]
        if not may_load:
            return all((kind, active[kind].key) in self._failed for kind in missing)
        for kind in missing:
            wanted = active[kind]
            say(f"Loading the model {wanted.key}.")
            if self.load(wanted.key, kind):
                self._met[kind] = wanted
        return True

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
            why = f"{key} failed: {error}; the worker's log says more."
            self._failed[kind, key] = (time.monotonic() + _TRY_AGAIN_S, why)
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
        """States for the heartbeat: of each kind the needed model, else the one in use here."""
        states = {}
        needed = self._needed_keys()
        for kind in self._kinds:
            active = self._active[kind]
            found = [state for state in self._pool.states() if state.kind is kind]
            in_use = [s.model_key for s in found if s.is_loaded or s.is_loading]
            key = active.key if self._is_wanted(kind) else next(iter(in_use), needed.get(kind))
            if key is None:
                continue
            loaded = {state.model_key for state in found if state.is_loaded}
            loading = {state.model_key for state in found if state.is_loading}
            states[kind] = ModelState(
                model_key=key if key in loaded else None,
                is_loading=key in loading or self._is_due(kind),
                error=None if active.key in loaded else self._trouble(kind, active.key, found),
                generation=active.generation,
            )
        return states

    def _needed_keys(self) -> dict[ModelKind, str]:
        needed = needed_models(self._active)
        return {kind: needed[kind].key for kind in self._kinds if kind in needed}

    def _is_wanted(self, kind: ModelKind) -> bool:
        return kind is ModelKind.VISUAL or self._active[kind].generation > 0

    def _is_due(self, kind: ModelKind) -> bool:
        """Whether the wanted model has yet to be loaded for the first time since it was wanted."""
        active = self._active[kind]
        has_failed = (kind, active.key) in self._failed
        return self._is_wanted(kind) and active != self._met.get(kind) and not has_failed

    def _trouble(self, kind: ModelKind, key: str, found: Iterable[PooledModel]) -> str | None:
        """Why the active model cannot be used here; also while it is tried again."""
        if failed := self._failed.get((kind, key)):
            return failed[1]
        of_pool = next((state.error for state in found if state.model_key == key), None)
        return of_pool or self._availability.trouble(kind, key)

    def _must_load(self, kind: ModelKind) -> bool:
        wanted = self._active[kind]
        if not self._is_wanted(kind) or wanted == self._met.get(kind):
            return False
        if self._is_loaded_by_a_call(kind, wanted.key):
            return False  # until the next look-up
        return self.error_of(wanted.key, kind) is None

    def _is_loaded_by_a_call(self, kind: ModelKind, key: str) -> bool:
        """Whether a native call left behind by an earlier Item is loading a model."""
        return kind is ModelKind.SPEECH and any(
            state.users and not state.is_loaded
            for state in self._pool.states()
            if state.model_key == key
        )

    def _load(self, kind: ModelKind, key: str) -> None:
        if kind is ModelKind.VISUAL:
            with self._pool.lend(kind, key) as model:
                self._sides[key] = model.picture_side
        else:
            with self._pool.lend(kind, key):
                return
