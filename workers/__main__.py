"""`python -m workers KIND`: one worker process or watcher, with one native thread."""

from __future__ import annotations

import functools
import os
import sys

from shared.process.ending import end_with

# Workers are scaled by processes; threads of their own would fight for the same cores.
_NATIVE_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(arguments: list[str]) -> int:
    """Run one worker until it is told to end; returns the exit status."""
    for name in _NATIVE_THREADS:
        os.environ.setdefault(name, "1")  # what the operator has set stays
    if arguments == ["watcher"]:
        from workers.watcher import service  # no model library, no decoder

        return service.start()
    from workers.start import start  # brings numpy along, which reads the above once

    return start(arguments)


if __name__ == "__main__":
    end_with(functools.partial(main, sys.argv[1:]))
