"""What a request changed or took, as a line of the audit log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool

from shared.audit import AuditLine, AuditLog, now
from shared.ledger.records import Sender
from shared.process import logs

log = logging.getLogger(__name__)
_MOST_LISTED = 20  # things of one list; how many there were is told besides
_SECRET = {"license_key", "secret"}
_LONG = 1_000  # characters: pictures and the like are no news


async def audit(
    audit_log: AuditLog, action: str, sender: Sender, details: Mapping[str, Any]
) -> None:
    """Write what was accepted. One that cannot be written is an error in the log, no refusal."""
    line = AuditLine(
        at=now(),
        action=action,
        key_id=sender.owner,
        key_label=sender.label,
        address=sender.address,
        client=sender.client,
        task_id=logs.task_id_var.get() or "",
        details=dict(details),
    )
    try:
        await run_in_threadpool(audit_log.write, line)
    except OSError as error:
        log.error("The audit log cannot be written (%s): %s", error, msgspec.json.encode(line))


def details_of(body: msgspec.Struct | None) -> dict[str, Any]:
    """What was asked for: fields that were given, no secrets, of long lists the beginning.

    Nor what a body names in NOT_AUDITED: what people are called would outlive their deletion.
    """
    given = {}
    hidden = _SECRET.union(getattr(body, "NOT_AUDITED", ()))
    for field in msgspec.structs.fields(body) if body is not None else ():
        value = getattr(body, field.name)
        if field.name not in hidden and value not in (None, [], field.default):
            given[field.encode_name] = _short(value)
    if "url" in given:  # of a webhook: its path may be a secret
        given["url"] = urlsplit(given["url"]).netloc
    return given


def _short(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return details_of(value)
    if isinstance(value, list):
        shown = [_short(each) for each in value[:_MOST_LISTED] if not isinstance(each, msgspec.Raw)]
        return shown if len(shown) == len(value) else {"count": len(value), "first": shown}
    if isinstance(value, str) and len(value) > _LONG:
        return f"{value[:_LONG]}…"
    return value
