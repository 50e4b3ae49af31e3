"""What is looked at before a process of the server starts; nothing has been started by then."""

from __future__ import annotations

from cli import redis_binary
from cli.checks import folders, redis_server
from cli.checks.finding import refuse_problems
from shared.settings import Settings


def before_start(settings: Settings, redis_url: str | None) -> None:
    """Raise SettingsError for the first thing that is wrong; warnings go to the log.

    Creates STATE_DIR. `redis_url` None: a private Redis is to be started.
    """
    refuse_problems([folders.state_dir(settings)])
    refuse_problems(folders.roots(settings))
    if redis_url is None:
        redis_binary.find()
    else:
        redis_server.wait_and_check(redis_url)
