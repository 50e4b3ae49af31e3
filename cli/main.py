"""The `rushes` command: what it is made of, and how its errors end."""

from __future__ import annotations

import json
import sys

import typer

from cli.api_client import Refused
from cli.commands import keys, models, processes, tasks
from shared.errors import RushesError, SettingsError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Rushes makes footage searchable. Settings come from the environment (RUSHES_…).",
)
_SERVER = "Run a server"

app.command("up", rich_help_panel=_SERVER)(processes.start_everything)
app.command("api", rich_help_panel=_SERVER)(processes.start_api)
app.command("worker", rich_help_panel=_SERVER)(processes.start_worker)
app.command("watcher", rich_help_panel=_SERVER)(processes.start_watcher)
app.add_typer(keys.app, name="keys", rich_help_panel=_SERVER)
app.add_typer(models.app, name="models")
app.add_typer(tasks.app, name="tasks")


def run() -> None:
    """Entry point of `rushes`: our errors end with one sentence on stderr."""
    try:
        app()
    except SettingsError as error:
        print(f"rushes: {error.message}", file=sys.stderr)
        sys.exit(2)
    except RushesError as error:
        if "--json" in sys.argv[1:]:
            label = error.label if isinstance(error, Refused) else type(error).__name__
            print(json.dumps({"error": label, "message": error.message}), file=sys.stderr)
        else:
            print(f"rushes: {error.message}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run()
