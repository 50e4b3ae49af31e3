"""The `rushes` command put together, and how its errors end."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from cli.api_client import Refused
from cli.commands import (
    analyze,
    data,
    doctor,
    export,
    info,
    keys,
    models,
    people,
    processes,
    search,
    tasks,
    transcripts,
    watch,
    webhooks,
)
from cli.terminal.output import accept_any_name
from shared.errors import BadInput, RushesError, SettingsError
from shared.printable import printable

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_SERVER = "Run a server"

app.command("up", rich_help_panel=_SERVER)(processes.start_everything)
app.command("api", rich_help_panel=_SERVER)(processes.start_api)
app.command("worker", rich_help_panel=_SERVER)(processes.start_worker)
app.command("watcher", rich_help_panel=_SERVER)(processes.start_watcher)
app.add_typer(keys.app, name="keys", rich_help_panel=_SERVER)
app.add_typer(webhooks.app, name="webhooks", rich_help_panel=_SERVER)
app.command("doctor", rich_help_panel=_SERVER)(doctor.doctor)
app.command("console", epilog="Example: rushes console --open")(keys.console)
app.command("analyze", epilog=analyze.EPILOG)(analyze.analyze)
app.command("search", epilog=search.EPILOG)(search.search)
app.command("info", epilog="Example: rushes info /footage/day1/A001.mov")(info.info)
app.add_typer(transcripts.app, name="transcripts")
app.add_typer(people.app, name="people")
app.add_typer(export.app, name="export")
app.add_typer(data.app, name="data")
app.add_typer(watch.app, name="watch")
app.add_typer(tasks.app, name="tasks")
app.add_typer(models.app, name="models")


def _say_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version  # late: it takes a tenth of the start

        print(f"rushes {version('rushes')}")
        raise typer.Exit


@app.callback()
def rushes(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Rushes makes footage searchable. Settings come from the environment (RUSHES_…)."""


def run() -> None:
    """Entry point of `rushes`: our errors end with one sentence on stderr.

    Exit status: 0 done, 1 refused or failed, 2 the command line or a setting is wrong, 130 Ctrl-C.
    """
    accept_any_name()
    try:
        app()
    except RushesError as error:
        _say(error)
        sys.exit(2 if isinstance(error, SettingsError | BadInput) else 1)


def _say(error: RushesError) -> None:
    if "--json" not in sys.argv[1:]:
        print(f"rushes: {printable(error.message)}", file=sys.stderr)
        return
    label = error.label if isinstance(error, Refused) else type(error).__name__
    print(json.dumps({"error": label, "message": error.message}), file=sys.stderr)


if __name__ == "__main__":
    run()
