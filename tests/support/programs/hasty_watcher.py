"""A watcher whose pauses between tries are short. The real loop and ledger are in use."""

from __future__ import annotations

import sys

from workers.__main__ import main
from workers.watcher.folder import state

if __name__ == "__main__":
    state.PAUSES_S = (0.5, 1.0)
    sys.exit(main(["watcher"]))
