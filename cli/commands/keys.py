"""`rushes keys`: licence keys, straight in Redis, since the API makes none."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec
import rich.table
import typer

from cli.commands.processes import redis_url
from cli.terminal.output import CommandOutput, JsonOption
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.redis.licence_keys import Keys

app = typer.Typer(no_args_is_help=True, help="Licence keys that clients send.")


class KeyTier(StrEnum):
    PRO = "pro"
    BASIC = "basic"


@app.command("create")
def create_key(
    tier: Annotated[KeyTier, typer.Option(help="basic keys are refused by the API.")] = KeyTier.PRO,
    label: Annotated[str, typer.Option(help="What it is for, to recognise it by.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Create a key and print it, this once: only its hash is kept."""
    key = _keys().create(tier.value, label)
    out = CommandOutput(as_json)
    if not out.document({"key": key, "tier": tier.value, "label": label}):
        out.line(key)


@app.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """List the keys: their ids, never the keys themselves."""
    records = _keys().list()
    out = CommandOutput(as_json)
    if out.document({"keys": [msgspec.to_builtins(record) for record in records]}):
        return
    table = rich.table.Table("id", "tier", "created", "label")
    for record in records:
        created = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.created_at))
        table.add_row(record.id, record.tier, created, record.label)
    out.show(table)


@app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="As `rushes keys list` shows.")],
    as_json: JsonOption = False,
) -> None:
    """Revoke a key: requests with it are refused from now on."""
    record = _keys().revoke(key_id)
    out = CommandOutput(as_json)
    if not out.document(msgspec.to_builtins(record)):
        label = f", {record.label}" if record.label else ""
        out.line(f"revoked {record.id} ({record.tier}{label})")


def _keys() -> Keys:
    # Late: most commands need no Redis, and its client takes longer to load than all of theirs.
    from shared.redis.clients import connect
    from shared.redis.licence_keys import Keys

    settings = Settings.from_env()
    client = connect(redis_url(settings))
    return Keys(client, settings.instance, settings.state_dir, settings.license_keys)
