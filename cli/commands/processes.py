"""`rushes up`, `api`, `worker` and `watcher`: the processes of a server.

What needs Redis is imported late: its client takes longer to load than all of a remote command.
So is the log, which brings OpenTelemetry's API.
"""

from __future__ import annotations

import os
import sys
from typing import Literal, NoReturn

import typer

from shared.errors import SettingsError
from shared.settings import Settings


def start_everything() -> None:
    """Run everything on this machine: a private Redis, the API and all workers."""
    from cli import up
    from shared.process import logs

    settings = Settings.from_env()
    logs.configure("up", settings.log_level, settings.log_format)
    raise typer.Exit(up.run(settings))


def start_api() -> None:
    """Run one API process."""
    _serve(Settings.from_env(), "api", "api")


def start_worker(kind: Literal["analysis", "query", "recluster", "export"]) -> None:
    """Run one worker process."""
    _serve(Settings.from_env(), f"{kind}-worker", "workers", kind)


def start_watcher() -> None:
    """Run one watcher of watch folders: one is active, others stand by."""
    _serve(Settings.from_env(), "watcher", "workers", "watcher")


def _serve(settings: Settings, process: str, *module: str) -> NoReturn:
    """Become a process of the server, once everything that it needs is right."""
    from cli.checks.folders import check_folders
    from cli.checks.redis_server import check_redis
    from shared.process import logs

    logs.configure(process, settings.log_level, settings.log_format)
    check_folders(settings)
    check_redis(redis_url(settings))
    become(settings, *module)


def redis_url(settings: Settings) -> str:
    """URL of the Redis that is set, else of the private one that runs. Raises SettingsError."""
    from cli.processes import private_redis

    url = settings.redis_url or private_redis.running_url(settings)
    if url is None:
        raise SettingsError(
            f"There is no Redis: `rushes up` is not running on {settings.state_dir}, and "
            "RUSHES_REDIS_URL is not set. Start the one or set the other."
        )
    return url


def become(settings: Settings, *module: str) -> NoReturn:
    """Replace this process by `python -m module`, with the private Redis if one runs."""
    environment = dict(os.environ)
    if module[0] in ("api", "workers"):  # others work on files alone
        environment["RUSHES_REDIS_URL"] = redis_url(settings)
    sys.stdout.flush()
    # -P: a folder called "api" where the user happens to stand must not be taken for ours.
    os.execve(sys.executable, [sys.executable, "-P", "-m", *module], environment)
