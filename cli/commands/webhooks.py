"""`rushes webhooks`: which systems are told when something has happened."""

from __future__ import annotations

import base64
import secrets
from typing import Annotated

import typer

from cli.options import argument, option
from cli.remote import Remote, remote
from cli.terminal.output import moment_of
from shared.webhooks.events import WebhookEvent

app = typer.Typer(no_args_is_help=True, help="Systems that are told when something has happened.")
_SECRET_BYTES = 32
IdArgument = Annotated[str, argument("As `rushes webhooks list` shows.", metavar="ID")]


@app.command("add", epilog="Example: rushes webhooks add https://mam.example/hooks/rushes")
@remote
def add_webhook(
    server: Remote,
    url: Annotated[str, argument("Its host is in RUSHES_WEBHOOK_HOSTS.")],
    event: Annotated[
        list[WebhookEvent] | None,
        option("What it is told of; several times for several. All, without."),
    ] = None,
    secret: Annotated[
        str,
        option(
            "Signs the messages: whsec_ and 24 to 64 bytes in base64. Without: made, and printed.",
            envvar="RUSHES_WEBHOOK_SECRET",
        ),
    ] = "",
) -> None:
    """Subscribe a webhook."""
    made = secret or f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"
    events = [each.value for each in event or WebhookEvent]
    answer = server.api.post("/webhooks", {"url": url, "secret": made, "events": events})
    if server.out.document(answer if secret else {**answer, "secret": made}):
        return
    server.out.line(f"{answer['id']} {answer['url']}: {', '.join(answer['events'])}")
    if not secret:
        server.out.line(f"secret, shown this once: {made}")
    server.out.hint(f"Try it with: rushes webhooks test {answer['id']}")


@app.command("list")
@remote
def list_webhooks(server: Remote) -> None:
    """List the webhooks, and how sending to them goes."""
    answer = server.api.get("/webhooks")
    columns = ("!id", "url", "events", ">waiting", ">given up", "last sent", "last error")
    rows = (
        (
            hook["id"],
            hook["url"],
            ", ".join(hook["events"]),
            f"{hook['waiting']:,}",
            f"{hook['dropped'] + len(hook['dead']):,}",
            moment_of(hook["last_sent_at"]) if hook["last_sent_at"] else "never",
            hook["last_error"] or "",
        )
        for hook in answer["webhooks"]
    )
    server.out.listing(answer, columns, rows)


@app.command("test", epilog="Example: rushes webhooks test 5f2b9c0e1d3a4b67")
@remote
def test_webhook(server: Remote, webhook_id: IdArgument) -> None:
    """Send a message now, once, and say what became of it."""
    answer = server.api.post(f"/webhooks/{webhook_id}/test", {})
    server.out.message(answer)
    if not answer["delivered"]:
        raise typer.Exit(1)


@app.command("remove", epilog="Example: rushes webhooks remove 5f2b9c0e1d3a4b67")
@remote
def remove_webhook(server: Remote, webhook_id: IdArgument) -> None:
    """Remove a webhook, and what waits for it."""
    server.out.message(server.api.delete(f"/webhooks/{webhook_id}"))
