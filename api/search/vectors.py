"""Query vectors, asked of the query worker and remembered in this process, never in Redis."""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.query.ask import Asker

TEXT_TIMEOUT_S = 10.0
PICTURE_TIMEOUT_S = 20.0
CAPACITY = 10_000  # vectors; about 20 MB at 512 dimensions

Vector = NDArray[np.float32]


class Vectors:
    """Texts are cached by model and words; pictures are not, since files change."""

    def __init__(self, asker: Asker, capacity: int = CAPACITY) -> None:
        self._asker = asker
        self._capacity = capacity
        self._known: OrderedDict[tuple[str, str], Vector] = OrderedDict()

    async def of_texts(self, model: str, texts: Sequence[str]) -> list[Vector]:
        """Unit vectors in the order of `texts`. Raises Unavailable or ModelError."""
        found = {text: self._known[model, text] for text in texts if (model, text) in self._known}
        unknown = list(dict.fromkeys(text for text in texts if text not in found))
        if unknown:
            rows = await self._ask({"model": model, "texts": unknown}, "embed", TEXT_TIMEOUT_S)
            for text, row in zip(unknown, rows, strict=True):
                found[text] = row
        for text in found:
            self._known[model, text] = found[text]
            self._known.move_to_end((model, text))
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
        return [found[text] for text in texts]

    async def of_file(self, model: str, path: str) -> Vector:
        """Vector of a picture file. Raises MediaError, Unavailable or ModelError."""
        payload = {"model": model, "image_path": path}
        return (await self._ask(payload, "embed", PICTURE_TIMEOUT_S))[0]

    async def of_picture(self, model: str, picture: bytes) -> Vector:
        """Vector of an encoded picture. Raises MediaError, Unavailable or ModelError."""
        payload = {"model": model, "image_b64": base64.b64encode(picture).decode("ascii")}
        return (await self._ask(payload, "embed", PICTURE_TIMEOUT_S))[0]

    async def of_frame(self, model: str, path: str, seconds: float) -> Vector:
        """Vector of the frame shown at that time. Raises BadInput, MediaError, Unavailable."""
        payload = {"model": model, "path": path, "seconds": seconds}
        return (await self._ask(payload, "grab", PICTURE_TIMEOUT_S))[0]

    async def _ask(self, payload: dict[str, Any], lane: Any, timeout_s: float) -> list[Vector]:
        answer = await self._asker.ask(lane, payload, timeout_s)
        flat = np.frombuffer(base64.b64decode(answer["vectors"]), dtype=np.float32)
        return list(flat.reshape(-1, int(answer["dim"])))
