"""What each command that asks a server has: --server, --key, --json and a client of them."""

from __future__ import annotations

import functools
import inspect
import os
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cli.api_client import ApiClient, is_this_machine
from cli.terminal.output import CommandOutput, JsonOption
from shared.settings import Settings

_PANEL = "Server"
ServerOption = Annotated[
    str,
    typer.Option(
        envvar="RUSHES_SERVER",
        help="Address of the server. Default: this machine, RUSHES_PORT.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
KeyOption = Annotated[
    str,
    typer.Option(
        envvar="RUSHES_KEY",
        help="Licence key. Default on the server's own machine: the first key.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Remote:
    """A server and where its answers are printed."""

    api: ApiClient
    out: CommandOutput


def remote(function: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a function whose first parameter is a Remote: adds the three options."""
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    own = [parameter.replace(annotation=hints[parameter.name]) for parameter in parameters]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, default, kind in (
            ("server", "", ServerOption),
            ("key", "", KeyOption),
            ("as_json", False, JsonOption),
        )
    ]

    @functools.wraps(function)
    def command(**values: Any) -> None:
        server, key, as_json = (values.pop(parameter.name) for parameter in added)
        server = server or default_server(os.environ)
        client = ApiClient(server, key or key_of_this_machine(server, os.environ))
        out = CommandOutput(as_json)
        client.tell = out.hint
        try:
            function(Remote(client, out), **values)
        finally:
            client.close()

    del command.__dict__["__wrapped__"]  # typer would look through to the function without options
    # Typer takes the parameters from here, in this order.
    command.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
    return command


def default_server(environ: Mapping[str, str]) -> str:
    """This machine, at the port that a server with these settings has."""
    return f"http://127.0.0.1:{environ.get('RUSHES_PORT', '').strip() or Settings().port}"


def key_of_this_machine(server: str, environ: Mapping[str, str]) -> str | None:
    """The first key that `rushes up` left in STATE_DIR, for a server on this machine."""
    if not is_this_machine(server):
        return None
    where = ("RUSHES_STATE_DIR", "XDG_STATE_HOME")
    settings = Settings.from_env({name: environ[name] for name in where if name in environ})
    try:
        return (settings.state_dir / "first-key").read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
