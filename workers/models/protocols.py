"""What a model must offer, whatever library runs it. Imports no model library."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.models import ModelSpec


class VisualEmbedder(Protocol):
    """Pictures and texts into one vector space. Not thread-safe; the pool lends it to one user."""

    @property
    def spec(self) -> ModelSpec: ...

    @property
    def batch_size(self) -> int:
        """Pictures per `embed_images` call that serve this device best."""

    @property
    def picture_side(self) -> int:
        """Pixels of the short side at which `prepare` wants its picture."""

    def warmup(self) -> None:
        """Run once so that the first request pays nothing."""

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """CPU work on one upright RGB picture [h, w, 3] -> model input [3, side, side]."""

    def embed_images(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        """[n, 3, side, side] -> unit rows [n, dim]."""

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """n texts -> unit rows [n, dim]."""
