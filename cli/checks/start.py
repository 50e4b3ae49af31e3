"""Checks before a process of the server starts; nothing has been started by then."""

from __future__ import annotations

import logging

from cli.checks import folders, redis_server
from cli.checks.finding import refuse_problems
from cli.processes import redis_binary
from shared.settings import Settings

log = logging.getLogger(__name__)


def check_folders(settings: Settings) -> None:
    """Raise SettingsError for a folder that cannot be used. Creates STATE_DIR."""
    found = refuse_problems([folders.state_dir(settings)])
    for finding in [*found, *refuse_problems(folders.roots(settings))]:
        log.warning("%s", finding.sentence)


def check_redis(url: str | None) -> None:
    """Raise SettingsError for a wrong Redis, or where None is given and none can be started."""
    if url is None:
        redis_binary.find()
    else:
        redis_server.wait_and_check(url)
