"""A watcher whose pauses between tries are short. The real loop and ledger are in use."""

from __future__ import annotations

import sys

from workers.watcher.folder import state
from workers.watcher.service import start

if __name__ == "__main__":
    state.PAUSES_S = (0.5, 1.0)
    sys.exit(start())
