"""The one thread with the model: texts and pictures of several requests become one batch."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from shared.domain import ModelKind
from shared.errors import ModelError, NoWorker, RushesError
from shared.query.messages import Embedded
from workers.models.pool import ModelPool
from workers.models.protocols import VisualEmbedder

log = logging.getLogger(__name__)

MAX_BATCH = 16  # requests; of the lite model's short queries more at once are hardly cheaper
_TEXTS_AT_ONCE = 32  # the longest take some 0.2 s each on a busy core


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts or one picture that a caller waits for; `reply` is called once, in the thread.

    `until`: when the caller gives up, by time.monotonic(). `are_sentences`: rows are wanted by
    which texts are near each other, not pictures.
    """

    model: str
    reply: Callable[[Embedded | RushesError], None]
    until: float
    texts: tuple[str, ...] = ()
    picture: NDArray[np.uint8] | None = None
    are_sentences: bool = False


class Embedder:
    """Embeds requests in batches, in one thread. Gives up on nothing but a model error."""

    def __init__(self, pool: ModelPool) -> None:
        self._pool = pool
        # One batch waits here while one is embedded; the rest waits where other workers see it.
        self._queue: queue.Queue[EmbedRequest | None] = queue.Queue(maxsize=MAX_BATCH)
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="embedder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, request: EmbedRequest) -> None:
        """Queue a request. Blocks while enough wait already, so that the rest waits in Redis."""
        self._queue.put(request)

    def busy_s(self) -> float:
        """Seconds for which the model has been at it without a result."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            batch = self._gather()
            self._advance()
            requests = sorted(filter(None, batch), key=attrgetter("model"))
            for model, group in groupby(requests, key=attrgetter("model")):
                self._embed(model, list(group))
            self._busy_since = None
            if None in batch:
                return

    def _advance(self) -> None:
        self._busy_since = time.monotonic()

    def _gather(self) -> list[EmbedRequest | None]:
        """The first request to come and those that wait with it. Nobody waits for who may come."""
        batch = [self._queue.get()]
        while len(batch) < MAX_BATCH and batch[-1] is not None:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _embed(self, key: str, requests: list[EmbedRequest]) -> None:
        now = time.monotonic()
        waiting = [one for one in requests if one.until > now]
        for one in requests:
            if one.until <= now:  # nobody hears it, but the trace ends
                one.reply(NoWorker("The question came too late to be answered in time."))
        if not waiting:
            return
        found = _tried(key, lambda: self._answers(key, waiting))
        answers = [found] * len(waiting) if isinstance(found, RushesError) else found
        for one, answer in zip(waiting, answers, strict=True):
            one.reply(answer)

    def _answers(self, key: str, requests: list[EmbedRequest]) -> list[Embedded | RushesError]:
        """An answer to each. When a batch fails each is tried alone: one may fail, not all."""
        with self._pool.lend(ModelKind.VISUAL, key) as model:

            def tried(some: list[EmbedRequest]) -> list[Embedded | RushesError] | RushesError:
                self._advance()
                return _tried(key, lambda: [*_embed_all(model, some, self._advance)])

            found = tried(requests)
            if not isinstance(found, RushesError):
                return found
            if len(requests) == 1:
                return [found]
            each = [tried([one]) for one in requests]
            return [one if isinstance(one, RushesError) else one[0] for one in each]


def _tried(
    key: str, work: Callable[[], list[Embedded | RushesError]]
) -> list[Embedded | RushesError] | RushesError:
    """What `work` with a model gives, or the error that it raises."""
    try:
        return work()
    except RushesError as error:
        return error
    # torch, ONNX Runtime and CUDA each raise their own, also in loading; and without this thread
    # nobody embeds. Neither stops nor timeouts are raised in it.
    except Exception as error:
        log.exception("The model %s failed", key)
        return ModelError(f"The model {key} failed: {error}")


def _embed_all(
    model: VisualEmbedder, requests: list[EmbedRequest], advance: Callable[[], None]
) -> list[Embedded]:
    texts = [text for one in requests if not one.are_sentences for text in one.texts]
    sentences = [text for one in requests if one.are_sentences for text in one.texts]
    pictures = [model.prepare(one.picture) for one in requests if one.picture is not None]
    text_rows = _rows_of(model.embed_texts, texts, advance)
    sentence_rows = _rows_of(model.embed_sentences, sentences, advance)
    picture_rows = iter(model.embed_images(np.stack(pictures)) if pictures else ())

    def answer(one: EmbedRequest) -> Embedded:
        if one.picture is not None:
            return Embedded.of(np.stack([next(picture_rows)]))
        if one.are_sentences:
            return Embedded.of(np.stack([next(sentence_rows) for _ in one.texts]))
        rows = np.stack([next(text_rows) for _ in one.texts])
        return Embedded.of(rows, model.familiarity(rows))

    return [answer(one) for one in requests]


def _rows_of(
    embed: Callable[[list[str]], NDArray[np.float32] | None],
    texts: list[str],
    advance: Callable[[], None],
) -> Iterator[NDArray[np.float32]]:
    """A row for each text, a few at a time, so that many texts are no model that hangs."""
    for at in range(0, len(texts), _TEXTS_AT_ONCE):
        rows = embed(texts[at : at + _TEXTS_AT_ONCE])
        if rows is None:
            raise ModelError("This model does not embed sentences.")
        advance()
        yield from rows
