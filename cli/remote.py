"""Options that each command with a server has (--server, --key, --json), and a client of them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from cli.api_client import ApiClient, is_this_machine
from cli.options import option
from cli.terminal.output import CommandOutput, JsonOption
from shared.settings import Settings

_PANEL = "Server"
ServerOption = Annotated[
    str,
    option(
        "Address of the server. Default: this machine, RUSHES_PORT.",
        panel=_PANEL,
        envvar="RUSHES_SERVER",
    ),
]
KeyOption = Annotated[
    str,
    option(
        "Licence key. Default on the server's own machine: the first key.",
        panel=_PANEL,
        envvar="RUSHES_KEY",
    ),
]


@dataclass(frozen=True, slots=True)
class Remote:
    """A server and where its answers are printed."""

    api: ApiClient
    out: CommandOutput


def remote(function: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a function whose first parameter is a Remote: adds the three options."""

    def command(
        *, server: ServerOption = "", key: KeyOption = "", as_json: JsonOption = False, **own: Any
    ) -> None:
        client = client_of(server, key)
        out = CommandOutput(as_json)
        client.tell = out.hint
        try:
            function(Remote(client, out), **own)
        finally:
            client.close()

    _, *asked = inspect.signature(function, eval_str=True).parameters.values()
    *added, _ = inspect.signature(command, eval_str=True).parameters.values()
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    # Typer takes the options from here, in this order.
    command.__signature__ = inspect.Signature([*asked, *added])  # type: ignore[attr-defined]
    return command


def client_of(server: str = "", key: str | None = None, patience_s: float = 0) -> ApiClient:
    """A client of a server, of this machine's where none is named, with its first key there."""
    address = server or default_server(os.environ)
    return ApiClient(address, key or key_of_this_machine(address, os.environ), patience_s or None)


def default_server(environ: Mapping[str, str]) -> str:
    """Address of this machine, at the port that a server with these settings has."""
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
