"""Query vectors, asked of the query worker and remembered in this process, never in Redis."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.query_client import QueryClient
from shared.models import sentence_model
from shared.query.messages import EmbedFrame, EmbedPicture, EmbedSentences, EmbedTexts, Lane

TEXT_TIMEOUT_S = 10.0
CAPACITY = 10_000  # vectors; about 20 MB at 512 dimensions

Vector = NDArray[np.float32]


class TextVector(NamedTuple):
    """The unit vector of a text, and how well the model knows the text (None: nobody can say)."""

    vector: Vector
    familiarity: float | None


class Vectors:
    """Asks for query vectors; keeps those of texts, not of pictures, since files change."""

    def __init__(self, client: QueryClient, capacity: int = CAPACITY) -> None:
        self._client = client
        self._capacity = capacity
        self._known: OrderedDict[tuple[str, str], TextVector] = OrderedDict()

    async def of_texts(self, model: str, texts: Sequence[str]) -> list[TextVector]:
        """Vectors in the order of `texts`. Raises Unavailable or ModelError."""
        return await self._of(model, texts, lambda some: EmbedTexts(model=model, texts=some))

    async def of_sentence(self, text: str) -> Vector:
        """The vector of a sentence, for search by meaning. Raises Unavailable or ModelError."""
        model = sentence_model.KEY
        (found,) = await self._of(
            sentence_model.ROWS, [text], lambda some: EmbedSentences(model=model, sentences=some)
        )
        return found.vector

    async def _of(
        self,
        model: str,
        texts: Sequence[str],
        question: Callable[[tuple[str, ...]], EmbedTexts | EmbedSentences],
    ) -> list[TextVector]:
        """Vectors that are remembered under `model`, or asked for by the question of texts."""
        found = {text: self._known[model, text] for text in texts if (model, text) in self._known}
        unknown = tuple(dict.fromkeys(text for text in texts if text not in found))
        if unknown:
            answer = await self._client.ask(Lane.EMBED, question(unknown), TEXT_TIMEOUT_S)
            familiar = answer.familiarity or [None] * len(unknown)
            for text, *known in zip(unknown, answer.as_array(), familiar, strict=True):
                found[text] = TextVector(*known)
        for text in found:
            self._known[model, text] = found[text]
            self._known.move_to_end((model, text))
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
        return [found[text] for text in texts]

    async def of_picture(self, model: str, picture: bytes) -> Vector:
        """Vector of an encoded picture. Raises MediaError, Unavailable or ModelError."""
        return await self._of_image(EmbedPicture(model=model, image=picture))

    async def of_frame(
        self, model: str, path: str, seconds: float, roots: tuple[str, ...] | None
    ) -> Vector:
        """Vector of the frame shown at that time; a picture file shows itself at 0.

        `roots`: in which it must lie, of the licence key that asks. Raises BadInput, MediaError,
        Unavailable or ModelError.
        """
        return await self._of_image(
            EmbedFrame(model=model, path=path, seconds=seconds, roots=roots)
        )

    async def _of_image(self, question: EmbedPicture | EmbedFrame) -> Vector:
        answer = await self._client.ask(Lane.GRAB, question)
        vector: Vector = answer.as_array()[0]
        return vector
