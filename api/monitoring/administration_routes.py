"""For administrators: the machines, what `rushes doctor` says, and the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from api.http.endpoint import Call, Endpoint, RootsRule
from api.http.parameters import flag, text_parameter, whole_number
from api.http.services import CoreServices
from api.monitoring.doctor import Doctor, DoctorReport
from api.monitoring.machines import MachineList, machines
from shared.audit import AuditLog, AuditWish
from shared.errors import BadInput, Unavailable
from shared.rights import KeyScope


class AuditedDeed(Struct, kw_only=True):
    """A line of the audit log: who changed or took what."""

    at: Annotated[str, Meta(examples=["2026-11-28T18:14:59.102+00:00"])]
    """ISO 8601, UTC."""
    action: Annotated[str, Meta(examples=["export_clips"])]
    """Name of the operation."""
    key_id: Annotated[str, Meta(examples=["4f1c2d7e"])]
    """Of the licence key."""
    key_label: Annotated[str, Meta(examples=["Edit 3"])]
    """What the key was called then."""
    address: Annotated[str, Meta(examples=["10.0.0.17"])]
    """Of the client."""
    client: Annotated[str, Meta(examples=["RushesPremiere/3.1"])]
    """What the client calls itself."""
    task_id: Annotated[str, Meta(examples=["8f14e45f"])]
    """Of the task, if it is about one; else empty."""
    details: Annotated[dict[str, Any], Meta(examples=[{"output_dir": "/mnt/out"}])]
    """What was asked for."""


class AuditPage(Struct, kw_only=True):
    """Some lines of the audit log, the newest first."""

    lines: list[AuditedDeed]
    """Of what was asked for."""
    next: Annotated[str, Meta(examples=["1f2e3d4c5b6a7980-48120"])] | None
    """`after` of the page that follows; null: this is the last one."""


_MOST_LINES = 1000
_FRESH = flag("fresh", "`true`: run the checks now, and wait for their end.")
_LIMIT = whole_number("limit", f"At most so many lines, 1 to {_MOST_LINES}.", _MOST_LINES, 100)
_AFTER = text_parameter(
    "after", "The `next` of the page before.", "1f2e3d4c5b6a7980-48120", longest=200
)
_ACTION = text_parameter("action", "Only this operation.", "export_clips")
_KEY_ID = text_parameter("key_id", "Only what was done with this key.", "4f1c2d7e")
_TASK_ID = text_parameter(
    "task_id", "Only what is about this task.", "8f14e45fceea167a5a36dedd4bea2543"
)


@dataclass(frozen=True, slots=True)
class AdministrationServices(CoreServices):
    """Checks of this machine, and the audit log."""

    audit: AuditLog
    doctor: Doctor


def list_machines(call: Call[None], services: AdministrationServices) -> MachineList:
    """Machines and workers.

    What every worker and watcher says of itself, every two seconds: what it does, which models
    it has in memory, which folders it does not see. `lacks` says in sentences, with their
    cures, what a machine lacks, and what no machine has.
    """
    return machines(services)


async def get_doctor(call: Call[None], services: AdministrationServices) -> DoctorReport:
    """What `rushes doctor` says.

    On the machine, or in the container, of the API process that answers, with its settings;
    other machines have a `rushes doctor` of their own. A result is kept for 10 s. A new one
    takes up to 2 s on an idle machine, and up to 100 where a disk hangs: after 2 s the last
    result is returned, with its age in `age_seconds`, while the checks go on. Only the first
    call of all, and `fresh`, wait for their end. Where it cannot run, that is the one finding.
    """
    fresh = _FRESH.read(call.query)
    return await services.doctor.report(services.settings, fresh=fresh)


def list_audit(call: Call[None], services: AdministrationServices) -> AuditPage:
    """Read the audit log.

    Of the machine of the API process that answers, older files included, the newest line first.
    `next` stays right while lines are written and files change their names; where its place was
    removed meanwhile, there is nothing older.
    """
    query = call.query
    wish = AuditWish(
        limit=_LIMIT.read(query),
        action=_ACTION.read(query),
        key_id=_KEY_ID.read(query),
        task_id=_TASK_ID.read(query),
    )
    try:
        lines, after = services.audit.page(wish, _AFTER.read(query))
    except OSError as error:
        raise Unavailable(
            f"The audit log cannot be read ({error.strerror or error}). Mend RUSHES_STATE_DIR "
            "on the machine of the API."
        ) from error
    deeds = [AuditedDeed(**msgspec.structs.asdict(line)) for line in lines]
    return AuditPage(lines=deeds, next=after)


ENDPOINTS = (
    Endpoint("GET /machines", list_machines, "Health", KeyScope.ADMIN, roots=RootsRule.REFUSED),
    Endpoint(
        "GET /doctor",
        get_doctor,
        "Health",
        KeyScope.ADMIN,
        roots=RootsRule.REFUSED,
        query=(_FRESH,),
    ),
    Endpoint(
        "GET /audit",
        list_audit,
        "Health",
        KeyScope.ADMIN,
        roots=RootsRule.REFUSED,
        query=(_LIMIT, _AFTER, _ACTION, _KEY_ID, _TASK_ID),
        errors={
            BadInput: "after must be the `next` of an answer of /audit.",
            Unavailable: "The audit log cannot be read (Permission denied). Mend "
            "RUSHES_STATE_DIR on the machine of the API.",
        },
    ),
)
