"""The model this process should hold: what was asked for last, else what the settings say."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import redis

from shared import heartbeats
from shared.errors import ModelError
from shared.heartbeats import DesiredModel, ModelState
from shared.models import ModelKind
from shared.settings import Settings
from workers.models.pool import ModelPool

log = logging.getLogger(__name__)

_TRY_AGAIN_S = 30.0


class Desired:
    """Loads what is wanted, between Items, and says how that stands."""

    def __init__(self, settings: Settings, client: redis.Redis, pool: ModelPool) -> None:
        self._settings = settings
        self._client = client
        self._pool = pool
        self._wanted = DesiredModel(settings.visual_model, 0)
        self._met: DesiredModel | None = None
        self._try_again_at = float("-inf")
        self._error: str | None = None

    @property
    def wanted_key(self) -> str:
        """Key of the model that is wanted as far as `reconcile` has heard."""
        return self._wanted.key

    def reconcile(self, say: Callable[[str], None]) -> None:
        """Load the wanted model unless that was done. Raises RedisAway, logs a ModelError."""
        found = heartbeats.desired(self._client, self._settings.instance)
        wanted = found.get(ModelKind.VISUAL) or DesiredModel(self._settings.visual_model, 0)
        changed = wanted != self._wanted
        self._wanted = wanted
        if wanted == self._met or (not changed and time.monotonic() < self._try_again_at):
            return
        say(f"Loading the model {wanted.key}.")
        self._error = None
        try:
            with self._pool.lend(ModelKind.VISUAL, wanted.key):
                self._met = wanted
        except ModelError as error:
            log.warning("The model %s cannot be loaded: %s", wanted.key, error)
            self._has_failed(error.message)
        except Exception as error:
            # A library's own error; a worker that died of it would die again at every start.
            log.exception("Loading the model %s failed", wanted.key)
            self._has_failed(f"{wanted.key} cannot be loaded: {error}")

    def states(self) -> dict[ModelKind, ModelState]:
        """For the heartbeat: the wanted model as it stands in the pool."""
        key = self._wanted.key
        found = [s for s in self._pool.states() if s.model_key == key]
        is_loaded = any(state.is_loaded for state in found)
        return {
            ModelKind.VISUAL: ModelState(
                model_key=key if is_loaded else None,
                is_loading=any(state.is_loading for state in found),
                error=None if is_loaded else self._error,
            )
        }

    def _has_failed(self, error: str) -> None:
        self._error = error
        self._try_again_at = time.monotonic() + _TRY_AGAIN_S
