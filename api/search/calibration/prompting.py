"""What scores mean in a folder: measured by labels, known of the model, or found out by prompts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from api.search.services import SearchScope, SearchServices
from api.search.types import QueryVectors
from api.search.vectors import Vector
from shared.errors import CacheError, RushesError
from shared.models.calibration import PROMPTS, Calibration, by_prompts
from shared.models.scores import ScoreScale
from shared.models.specs import ModelSpec

_log = logging.getLogger(__name__)
_PATIENCE_S = 2.0  # of the first search of a folder; what takes longer is there for later ones
_running: dict[tuple[str, str], asyncio.Task[Calibration | None]] = {}


class Meaning(NamedTuple):
    """What scores mean (None: nobody knows), and what is to be said of that."""

    scale: ScoreScale | None
    note: str = ""


async def meaning_of(scope: SearchScope, spec: ModelSpec) -> Meaning:
    """Of the scores of a model in a folder. Finds it out where nobody has yet."""
    services = scope.services
    labelled = await run_in_threadpool(services.calibrations.by_labels, spec.key)
    if labelled is not None:
        return Meaning(labelled.scale)
    if spec.scores is not None:
        return Meaning(spec.scores)
    known = await services.folders.run(scope.cache_dir, _known, scope, spec.key)
    if known is None:
        known = await _made_soon(scope, spec.key)
    if known is None:
        return Meaning(None)
    day = time.strftime("%Y-%m-%d", time.gmtime(known.made_at))
    return Meaning(
        known.scale,
        f"Scores of {spec.key} are provisional: calibrated by prompts on {day}. "
        "`rushes models calibrate --labels` measures them.",
    )


def _known(scope: SearchScope, model: str) -> Calibration | None:
    view = scope.view()
    rows = scope.services.index.count(view, model)
    return scope.services.calibrations.by_prompts(model, view.key, rows)


async def _made_soon(scope: SearchScope, model: str) -> Calibration | None:
    """One that is made now, by one request for all; None where that takes longer or fails."""
    key = scope.view().key, model
    task = _running.get(key)
    if task is None:
        task = _running[key] = asyncio.create_task(_made(scope, model))
        task.add_done_callback(lambda _: _running.pop(key, None))
    done, _ = await asyncio.wait({task}, timeout=_PATIENCE_S)
    return task.result() if done else None


async def _made(scope: SearchScope, model: str) -> Calibration | None:
    services = scope.services
    try:
        texts = await services.vectors.of_texts(model, PROMPTS)
        vectors = [text.vector for text in texts]
        return await services.folders.run(scope.cache_dir, _measured, scope, model, vectors)
    except RushesError as error:  # whoever searched hears of it there
        _log.warning("could not calibrate %s in %s: %s", model, scope.cache_dir, error.message)
        return None


def _measured(scope: SearchScope, model: str, prompts: Sequence[Vector]) -> Calibration | None:
    services: SearchServices = scope.services
    view = scope.view()
    found = [services.index.search(view, model, QueryVectors(query=p), None, 1) for p in prompts]
    best = [hits[0].base for hits in found if hits]
    if not best:
        return None
    rows = services.index.count(view, model)
    made = Calibration(scale=by_prompts(best), made_at=time.time(), rows=rows)
    try:
        services.calibrations.note(model, made, view.key)
    except CacheError as error:
        _log.warning("calibrated %s for this search only: %s", model, error.message)
    return made
