"""`rushes console`: a link that opens the console, signed in."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from cli.remote import Remote, remote

EPILOG = """Example:

rushes console --open
"""


@remote
def console(
    remote: Remote,
    open_it: Annotated[
        bool, typer.Option("--open", help="Open it in a browser here.", show_default=False)
    ] = False,
) -> None:
    """Print a link to the console that signs a browser in, once, with your key."""
    made = remote.api.post("/console/links")
    if not remote.out.document(made):
        remote.out.line(made["url"])
        remote.out.hint("It signs in once, within 15 minutes.")
    if open_it and not webbrowser.open(made["url"]):
        remote.out.hint("There is no browser here: open the link yourself.")
