"""The one thread with the model: texts and pictures of several asks become one batch."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelError, RushesError
from shared.models.specs import ModelKind
from workers.models.pool import ModelPool
from workers.models.protocols import VisualEmbedder

log = logging.getLogger(__name__)

MAX_BATCH = 16  # asks
GATHER_S = 0.005

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Texts or one picture that somebody waits for; `reply` is called once, in the thread."""

    model: str
    reply: Callable[[Vectors | RushesError], None]
    texts: tuple[str, ...] = ()
    picture: NDArray[np.uint8] | None = None


class Embedder:
    """Embeds what is put in, in batches. Gives up on nothing but a model error."""

    def __init__(self, pool: ModelPool) -> None:
        self._pool = pool
        self._queue: queue.Queue[Wanted | None] = queue.Queue(maxsize=2 * MAX_BATCH)
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="embedder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, wanted: Wanted) -> None:
        """Blocks while enough is waiting already, so that the rest waits in Redis."""
        self._queue.put(wanted)

    def busy_s(self) -> float:
        """How long the present batch has been running."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            batch = self._gather()
            self._busy_since = time.monotonic()
            for model, group in groupby(
                sorted((w for w in batch if w), key=lambda w: w.model), key=lambda w: w.model
            ):
                self._embed(model, list(group))
            self._busy_since = None
            if None in batch:
                return

    def _gather(self) -> list[Wanted | None]:
        """The first to come, and what comes within 5 ms after it."""
        batch = [self._queue.get()]
        until = time.monotonic() + GATHER_S
        while len(batch) < MAX_BATCH and batch[-1] is not None:
            try:
                batch.append(self._queue.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                break
        return batch

    def _embed(self, key: str, wanted: list[Wanted]) -> None:
        try:
            with self._pool.lend(ModelKind.VISUAL, key) as model:
                answers: list[Vectors] = _embed_all(model, wanted)
        except RushesError as error:
            for one in wanted:
                one.reply(error)
        except Exception as error:
            log.exception("Embedding with %s failed", key)
            for one in wanted:
                one.reply(ModelError(f"The model {key} failed: {error}"))
        else:
            for one, vectors in zip(wanted, answers, strict=True):
                one.reply(vectors)


def _embed_all(model: VisualEmbedder, wanted: list[Wanted]) -> list[Vectors]:
    texts = [text for one in wanted for text in one.texts]
    pictures = [model.prepare(one.picture) for one in wanted if one.picture is not None]
    text_rows = iter(model.embed_texts(texts) if texts else ())
    picture_rows = iter(model.embed_images(np.stack(pictures)) if pictures else ())
    return [
        np.stack([next(picture_rows)])
        if one.picture is not None
        else np.stack([next(text_rows) for _ in one.texts])
        for one in wanted
    ]
