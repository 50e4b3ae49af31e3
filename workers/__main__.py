"""`python -m workers KIND`: one worker process or watcher, with one native thread."""

from __future__ import annotations

import os
import sys

# Workers are scaled by processes; threads of their own would fight for the same cores.
_NATIVE_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(arguments: list[str]) -> int:
    """Run one worker until it is told to end; returns the exit status."""
    for name in _NATIVE_THREADS:
        os.environ.setdefault(name, "1")  # what the operator has set stays
    if arguments == ["watcher"]:
        from workers.watcher import start as watcher  # no model library, no decoder

        return watcher.start()
    from workers.start import start  # brings numpy along, which reads the above once

    return start(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
