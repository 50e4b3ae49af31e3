"""The `rushes` command. It starts API and workers as processes and imports neither."""

from __future__ import annotations

import os
import sys
import time
from enum import StrEnum
from typing import Annotated, NoReturn

import rich.table
import typer
from rich.console import Console

from cli import private_redis, up
from shared import logs, model_catalogue
from shared.errors import RushesError, SettingsError
from shared.keys import Keys
from shared.redis_clients import connect
from shared.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Rushes makes footage searchable. Settings come from the environment (RUSHES_…).",
)
keys_app = typer.Typer(no_args_is_help=True, help="Licence keys that clients send.")
models_app = typer.Typer(no_args_is_help=True, help="Models and their weights.")
app.add_typer(keys_app, name="keys")
app.add_typer(models_app, name="models")


class WorkerKind(StrEnum):
    ANALYSIS = "analysis"
    QUERY = "query"
    RECLUSTER = "recluster"
    EXPORT = "export"


class KeyTier(StrEnum):
    PRO = "pro"
    BASIC = "basic"


@app.command("up")
def start_everything() -> None:
    """Run everything on this machine: a private Redis, the API and all workers."""
    settings = Settings.from_env()
    logs.configure("up", settings.log_level, settings.log_format)
    raise typer.Exit(up.run(settings))


@app.command("api")
def start_api() -> None:
    """Run one API process."""
    _become(Settings.from_env(), "api")


@app.command("worker")
def start_worker(kind: WorkerKind) -> None:
    """Run one worker process."""
    _become(Settings.from_env(), "workers", kind.value)


@app.command("watcher")
def start_watcher() -> None:
    """Run one watcher of watch folders: one is active, others stand by."""
    _become(Settings.from_env(), "workers", "watcher")


@keys_app.command("create")
def create_key(
    tier: Annotated[KeyTier, typer.Option(help="basic keys are refused by the API.")] = KeyTier.PRO,
    label: Annotated[str, typer.Option(help="What it is for, to recognise it by.")] = "",
) -> None:
    """Create a key and print it, this once: only its hash is kept."""
    print(_keys().create(tier.value, label))


@keys_app.command("list")
def list_keys() -> None:
    """List the keys: their ids, never the keys themselves."""
    table = rich.table.Table("id", "tier", "created", "label")
    for record in _keys().list():
        created = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.created_at))
        table.add_row(record.id, record.tier, created, record.label)
    Console().print(table)


@keys_app.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="As `rushes keys list` shows.")]) -> None:
    """Revoke a key: requests with it are refused from now on."""
    record = _keys().revoke(key_id)
    print(f"revoked {record.id} ({record.tier}{', ' + record.label if record.label else ''})")


@models_app.command("pull")
def pull_models(
    names: Annotated[list[str], typer.Argument(help="Model keys, or `lite` for the default set.")],
) -> None:
    """Fetch the weights of models into MODELS_DIR."""
    _become(Settings.from_env(), "workers.models", "pull", *names)


@models_app.command("list")
def list_models() -> None:
    """List the models, what their licences allow, and which are downloaded."""
    settings = Settings.from_env()
    table = rich.table.Table(
        rich.table.Column("key", no_wrap=True), "ready", "MB", "licence", "commercial use"
    )
    for spec in model_catalogue.catalogue(settings).values():
        allowed = {True: "yes", False: "no", None: "unknown"}[spec.commercial_use]
        ready = "yes" if model_catalogue.is_downloaded(settings, spec) else "no"
        size = f"{spec.size_bytes / 1e6:,.0f}" if spec.size_bytes else ""
        table.add_row(spec.key, ready, size, spec.licence, allowed)
    Console().print(table)


def _keys() -> Keys:
    settings = Settings.from_env()
    client = connect(_redis_url(settings))
    return Keys(client, settings.instance, settings.state_dir, settings.license_keys)


def _redis_url(settings: Settings) -> str:
    url = settings.redis_url or private_redis.running_url(settings)
    if url is None:
        raise SettingsError(
            f"There is no Redis: `rushes up` is not running on {settings.state_dir}, and "
            "RUSHES_REDIS_URL is not set. Start the one or set the other."
        )
    return url


def _become(settings: Settings, *module: str) -> NoReturn:
    """Replace this process by `python -m module`, with the private Redis if one runs."""
    environment = dict(os.environ)
    if module[0] != "workers.models":
        environment["RUSHES_REDIS_URL"] = _redis_url(settings)
    sys.stdout.flush()
    # -P: a folder called "api" where the user happens to stand must not be taken for ours.
    os.execve(sys.executable, [sys.executable, "-P", "-m", *module], environment)


def run() -> None:
    """Entry point of `rushes`: our errors end with one sentence on stderr."""
    try:
        app()
    except SettingsError as error:
        print(f"rushes: {error.message}", file=sys.stderr)
        sys.exit(2)
    except RushesError as error:
        print(f"rushes: {error.message}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run()
