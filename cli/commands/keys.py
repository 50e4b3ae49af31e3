"""`rushes keys`: licence keys, straight in Redis, since the API makes none."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cli.commands.processes import redis_url
from cli.options import argument, option
from cli.terminal.output import CommandOutput, JsonOption, moment_of
from shared.rights import KeyTier
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.redis.licence_keys import Keys
import webbrowser

from cli.remote import Remote, remote

app = typer.Typer(no_args_is_help=True, help="Licence keys that clients send.")


@app.command("create")
def create_key(
    tier: Annotated[KeyTier, option("basic keys are refused by the API.")] = KeyTier.PRO,
    label: Annotated[str, option("What people call it; else its number.")] = "",
    scope: Annotated[
        list[str] | None,
        option(
            "A part of the API that it may use; several times for several. All, without. "
            "search, analyze, people, watch, export, models, admin."
        ),
    ] = None,
    root: Annotated[
        list[str] | None,
        option("A folder in which every path must lie that it names; several times."),
    ] = None,
    expires: Annotated[
        str | None, option("90d, 12h, or a day: 2027-06-30. Never, without.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key and print it, this once: only its hash is kept."""
    from shared.rights import checked_label, checked_roots, checked_scopes  # late: see _keys

    key = _keys().create(
        tier.value,
        checked_label(label),
        scopes=checked_scopes(scope) if scope else None,
        roots=checked_roots(root, Settings.from_env()) if root else None,
        expires_at=_moment(expires) if expires else None,
    )
    out = CommandOutput(as_json)
    record = _keys().find(key)
    if record is None or not out.document(
        {"key": key, "license_key": key, **msgspec.to_builtins(record)}
    ):
        out.line(key)


@app.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """List the keys: their ids, never the keys themselves."""
    records = _keys().list()
    out = CommandOutput(as_json)
    columns = ("id", "tier", "created", "label", "scopes", "roots", "expires")
    rows = (
        (
            record.id,
            record.tier,
            "RUSHES_LICENSE_KEYS" if record.is_from_settings else _when(record.created_at),
            record.label,
            "all" if record.scopes is None else ", ".join(sorted(record.scopes)) or "none",
            "all" if record.roots is None else "\n".join(record.roots),
            "never" if record.expires_at is None else _when(record.expires_at),
        )
        for record in records
    )
    out.listing({"keys": [msgspec.to_builtins(record) for record in records]}, columns, rows)


@app.command("revoke")
def revoke_key(
    key_id: Annotated[str, argument("As `rushes keys list` shows.")],
    as_json: JsonOption = False,
) -> None:
    """Revoke a key: requests with it are refused from now on."""
    record = _keys().revoke(key_id)
    out = CommandOutput(as_json)
    if not out.document(msgspec.to_builtins(record)):
        label = f", {record.label}" if record.label else ""
        out.line(f"revoked {record.id} ({record.tier}{label})")


def _when(moment: float) -> str:
    try:
        return moment_of(moment)
    except (OverflowError, ValueError, OSError):  # an earlier version took any number
        return f"{moment:g}"


def _moment(text: str) -> float:
    """Unix seconds of "90d", "12h" or a day. Raises BadInput for other words and for the past."""
    from shared.errors import BadInput
    from shared.rights import checked_expiry

    if found := re.fullmatch(r"(\d{1,5})([dh])", text):
        seconds = int(found[1]) * {"d": 86_400, "h": 3_600}[found[2]]
        return checked_expiry(time.time() + seconds)
    try:
        day = time.mktime(time.strptime(text, "%Y-%m-%d"))
    except ValueError:
        raise BadInput(f"--expires: {text!r} is no time. Say 90d, 12h or 2027-06-30.") from None
    return checked_expiry(day)


def _keys() -> Keys:
    # Late: most commands need no Redis, and its client takes longer to load than all of theirs.
    from shared.redis.clients import connect
    from shared.redis.licence_keys import Keys

    settings = Settings.from_env()
    client = connect(redis_url(settings))
    return Keys(client, settings.instance, settings.state_dir, settings.license_keys)


@remote
def console(
    remote: Remote,
    open_it: Annotated[bool, option("Open it in a browser here.", "--open")] = False,
) -> None:
    """Print a link to the console that signs a browser in, once, with your key."""
    made = remote.api.post("/console/links")
    if not remote.out.document(made):
        remote.out.line(made["url"])
        remote.out.hint("It signs in once, within 15 minutes.")
    if open_it and not webbrowser.open(made["url"]):
        remote.out.hint("There is no browser here: open the link yourself.")
