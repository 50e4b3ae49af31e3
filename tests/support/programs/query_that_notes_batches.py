"""The real query worker, which notes the texts of each batch of its model, a line of JSON each.

A text "hold" keeps the model busy until RELEASE is there; one with "breaks" is one that fails it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.process import logs
from shared.settings import Settings
from tests.support.waiting import wait_for
from workers.liveness import end_on_signals
from workers.models.visual.conse import ConseEmbedder
from workers.query.service import QueryService

embed_texts = ConseEmbedder.embed_texts


def noted(self: ConseEmbedder, texts: list[str]) -> NDArray[np.float32]:
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(json.dumps(texts) + "\n")
    if "hold" in texts:
        wait_for(Path(os.environ["RELEASE"]).exists, 60, "being released")
    if any("breaks" in text for text in texts):
        raise RuntimeError("no room for this text")
    return embed_texts(self, texts)


if __name__ == "__main__":
    logs.configure("query-worker", "INFO", "text")
    ConseEmbedder.embed_texts = noted  # type: ignore[method-assign]
    worker = QueryService(Settings.from_env())
    end_on_signals(worker.shut_down)
    sys.exit(worker.serve())
