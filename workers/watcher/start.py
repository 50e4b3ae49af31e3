"""One watcher process: reads the settings and runs it. Imports no model library and no decoder."""

from __future__ import annotations

import sys

from shared.errors import SettingsError
from shared.msgspec_decoding import learn_types
from shared.process import logs, parent_pipe, traces
from shared.settings import Settings
from workers.watcher.service import WatchService

_WRONG_USE = 2


def start() -> int:
    """Run the watcher until it is told to end; returns the exit status."""
    try:
        settings = Settings.from_env()
        if settings.redis_url is None:
            raise SettingsError(
                "RUSHES_REDIS_URL is not set: a watcher on its own needs the Redis of its server "
                "(`rushes up` runs one)."
            )
        traces.start(settings, "watcher")
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        return _WRONG_USE
    logs.configure("watcher", settings.log_level, settings.log_format)
    learn_types()
    service = WatchService(settings)
    service.take_signals()
    parent_pipe.watch()
    try:
        return service.serve()
    finally:
        traces.shut_down()
