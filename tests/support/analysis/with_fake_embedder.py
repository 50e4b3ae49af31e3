"""The analysis worker as it is started in production, but for its visual model: FakeEmbedder.

It starts in half the time. For tests in which nothing depends on what pictures show.
"""

from __future__ import annotations

import sys

from shared.domain import ModelKind
from tests.support.fake_models import load_fake_embedder
from workers.__main__ import main
from workers.models import pool

if __name__ == "__main__":
    pool._LOADERS[ModelKind.VISUAL] = load_fake_embedder
    sys.exit(main(["analysis"]))
