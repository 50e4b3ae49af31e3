"""`python -m workers KIND`: one worker process or watcher, with one native thread."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from shared.errors import SettingsError
from shared.msgspec_decoding import learn_types
from shared.process import logs, traces
from shared.process.ending import end_with, watch_parent
from shared.settings import Settings
from workers.liveness import end_on_signals

# Workers are scaled by processes; threads of their own would fight for the same cores.
_NATIVE_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_KINDS = ("analysis", "recluster", "export", "query", "watcher")
_WRONG_USE = 2


def main(arguments: list[str]) -> int:
    """Run one worker until it is told to end; returns the exit status."""
    for name in _NATIVE_THREADS:
        os.environ.setdefault(name, "1")  # what the operator has set stays
    if len(arguments) != 1 or arguments[0] not in _KINDS:
        print(f"Usage: python -m workers {'|'.join(_KINDS)}", file=sys.stderr)
        return _WRONG_USE
    kind = arguments[0]
    process = kind if kind == "watcher" else f"{kind}-worker"
    try:
        settings = Settings.from_env()
        if settings.redis_url is None:
            raise SettingsError(
                f"RUSHES_REDIS_URL is not set: a {'watcher' if kind == 'watcher' else 'worker'} on "
                "its own needs the Redis of its server (`rushes up` runs one)."
            )
        traces.start(settings, process)
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        return _WRONG_USE
    logs.configure(process, settings.log_level, settings.log_format)
    return _serve(kind, settings)


def _serve(kind: str, settings: Settings) -> int:
    new: Callable[[Settings], Any]
    if kind == "watcher":  # imports no model library, no decoder
        from workers.watcher.service import WatchService

        new = WatchService
    else:  # imports numpy, which reads the number of threads once
        from workers.start import new_worker

        new = functools.partial(new_worker, kind)
    learn_types()
    service = new(settings)
    end_on_signals(service.shut_down)
    watch_parent()
    try:
        status: int = service.serve()
    finally:
        traces.shut_down()
    return status


if __name__ == "__main__":
    end_with(functools.partial(main, sys.argv[1:]))
