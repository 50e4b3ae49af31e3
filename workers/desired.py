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
        self._sides: dict[str, int] = {}
        self._failed: dict[str, tuple[float, str]] = {}  # until when to say so, and why

    def reconcile(self, say: Callable[[str], None]) -> None:
        """Load the wanted model unless that was done. Raises RedisAway."""
        found = heartbeats.desired(self._client, self._settings.instance)
        wanted = found.get(ModelKind.VISUAL) or DesiredModel(self._settings.visual_model, 0)
        if wanted != self._wanted:
            self._wanted = wanted
            self._failed.pop(wanted.key, None)
        if wanted != self._met and self.error_of(wanted.key) is None:
            say(f"Loading the model {wanted.key}.")
            if self.load(wanted.key):
                self._met = wanted

    def load(self, key: str) -> bool:
        """Load a model now; a failure is logged and kept for `error_of`."""
        try:
            with self._pool.lend(ModelKind.VISUAL, key) as model:
                self._sides[key] = model.picture_side
        except ModelError as error:
            log.warning("The model %s cannot be loaded: %s", key, error)
            self._failed[key] = (time.monotonic() + _TRY_AGAIN_S, error.message)
            return False
        except Exception as error:
            # A library's own error; a worker that died of it would die again at every start.
            log.exception("Loading the model %s failed", key)
            self._failed[key] = (time.monotonic() + _TRY_AGAIN_S, f"{key} failed: {error}")
            return False
        self._failed.pop(key, None)
        return True

    def error_of(self, key: str) -> str | None:
        """Why it could not be loaded just now; forgotten after a while, to try again."""
        until, error = self._failed.get(key, (0.0, ""))
        return error if time.monotonic() < until else None

    def side_of(self, key: str) -> int | None:
        """Picture side of a model that is loaded at this moment, else None."""
        is_loaded = any(s.model_key == key and s.is_loaded for s in self._pool.states())
        return self._sides.get(key) if is_loaded else None

    def states(self) -> dict[ModelKind, ModelState]:
        """For the heartbeat: the wanted model as it stands in the pool."""
        key = self._wanted.key
        found = [s for s in self._pool.states() if s.model_key == key]
        is_loaded = any(state.is_loaded for state in found)
        return {
            ModelKind.VISUAL: ModelState(
                model_key=key if is_loaded else None,
                is_loading=any(state.is_loading for state in found),
                error=None if is_loaded else self.error_of(key),
            )
        }
