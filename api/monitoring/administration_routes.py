"""For administrators: the machines, what `rushes doctor` says, and the audit log."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from starlette.concurrency import run_in_threadpool

from api.http.bodies import LONGEST_WORD
from api.http.endpoint import Call, Endpoint, Parameter, RootsRule
from api.http.services import CoreServices
from api.monitoring.audit_answers import AuditedDeed, AuditPage
from api.monitoring.doctor import Doctor
from api.monitoring.doctor_answers import DoctorReport
from api.monitoring.machine_answers import MachineList
from api.monitoring.machines import machines
from shared.audit import AuditLine, AuditLog, AuditWish
from shared.errors import BadInput, Unavailable
from shared.rights import KeyScope

_LINES, _MOST_LINES = 100, 1000
_LONGEST_CURSOR = 200


@dataclass(frozen=True, slots=True)
class AdministrationServices(CoreServices):
    """Checks of this machine, and the audit log."""

    audit: AuditLog
    doctor: Doctor


async def list_machines(call: Call[None], services: AdministrationServices) -> MachineList:
    """Every machine with a worker or a watcher, what these do, and what is missing."""
    return await run_in_threadpool(machines, services)


async def get_doctor(call: Call[None], services: AdministrationServices) -> DoctorReport:
    """Everything that may be wrong with the machine of this API process, and its cure."""
    fresh = call.is_asked("fresh")
    return await services.doctor.report(services.settings, fresh=fresh)


async def list_audit(call: Call[None], services: AdministrationServices) -> AuditPage:
    """Who changed or took what, the newest first."""
    query = call.query
    wish = AuditWish(
        limit=call.whole_number("limit", _MOST_LINES) or _LINES,
        action=query.get("action", ""),
        key_id=query.get("key_id", ""),
        task_id=query.get("task_id", ""),
    )

    def read() -> AuditPage:
        try:
            lines, after = services.audit.page(wish, query.get("after", ""))
        except OSError as error:
            raise Unavailable(
                f"The audit log cannot be read ({error.strerror or error}). Mend RUSHES_STATE_DIR "
                "on the machine of the API."
            ) from error
        return AuditPage(lines=[_deed(line) for line in lines], next=after)

    return await run_in_threadpool(read)


def _deed(line: AuditLine) -> AuditedDeed:
    return AuditedDeed(**msgspec.structs.asdict(line))


def _choice(name: str, description: str, example: str) -> Parameter:
    schema = {"type": "string", "maxLength": LONGEST_WORD}
    return Parameter(name, description, schema, example)


_DEED = {
    "at": "2026-11-28T18:14:59.102+00:00",
    "action": "export_clips",
    "key_id": "4f1c2d7e",
    "key_label": "Edit 3",
    "address": "10.0.0.17",
    "client": "RushesPremiere/3.1",
    "task_id": "8f14e45fceea167a5a36dedd4bea2543",
    "details": {"output_dir": "/mnt/out"},
}
_CURSOR = "1f2e3d4c5b6a7980-48120"

ENDPOINTS = (
    Endpoint(
        "GET",
        "/machines",
        list_machines,
        scope=KeyScope.ADMIN,
        roots=RootsRule.REFUSED,
        tag="Health",
        summary="Machines and workers",
        description="What every worker and watcher says of itself, every two seconds: what it "
        "does, which models it has in memory, which folders it does not see. `lacks` says in "
        "sentences, with their cures, what a machine lacks, and what no machine has.",
        answer=MachineList,
        answer_example={
            "machines": [
                {
                    "host": "edit3",
                    "processes": [
                        {
                            "name": "analysis-edit3-412-9f2c1a",
                            "kind": "analysis",
                            "pid": 412,
                            "state": "working",
                            "message": "",
                            "task_id": "8f14e45fceea167a5a36dedd4bea2543",
                            "media_path": "/footage/day1/A001.mov",
                            "started_at": 1764028800.0,
                            "models": [
                                {
                                    "kind": "visual",
                                    "model_key": "conse-lite0",
                                    "bytes": 180000000,
                                    "is_loading": False,
                                    "error": None,
                                }
                            ],
                            "roots_missing": ["/mnt/show2"],
                        }
                    ],
                    "lacks": [
                        "/mnt/show2 is not seen on edit3. Mount its disk there, or take it out of "
                        "RUSHES_MEDIA_ROOTS and RUSHES_CACHE_ROOTS."
                    ],
                }
            ],
            "lacks": [
                "No export worker is running. Start `rushes worker export`. Without it no clips "
                "are exported: such tasks wait."
            ],
        },
    ),
    Endpoint(
        "GET",
        "/doctor",
        get_doctor,
        scope=KeyScope.ADMIN,
        roots=RootsRule.REFUSED,
        tag="Health",
        summary="What `rushes doctor` says",
        description="On the machine, or in the container, of the API process that answers, with "
        "its settings; other machines have a `rushes doctor` of their own. A result is kept for "
        "10 s. A new one takes up to 2 s on an idle machine, and up to 100 where a disk hangs: "
        "after 2 s the last result is returned, with its age in `age_seconds`, while the checks go "
        "on. Only the first call of all, and `fresh`, wait for their end. Where it cannot run, "
        "that is the one finding.",
        query=(
            Parameter(
                "fresh",
                "`true`: run the checks now, and wait for their end.",
                {"type": "boolean", "default": False},
                False,
            ),
        ),
        answer=DoctorReport,
        answer_example={
            "ok": True,
            "checked_at": 1764028800.0,
            "age_seconds": 1.4,
            "host": "edit3",
            "findings": [
                {
                    "subject": "disk space",
                    "level": "warning",
                    "message": "900 MB are free on the disk of /mnt/show1",
                    "cure": "make room there",
                }
            ],
        },
    ),
    Endpoint(
        "GET",
        "/audit",
        list_audit,
        scope=KeyScope.ADMIN,
        roots=RootsRule.REFUSED,
        tag="Health",
        summary="Read the audit log",
        description="Of the machine of the API process that answers, older files included, the "
        "newest line first. `next` stays right while lines are written and files change their "
        "names; where its place was removed meanwhile, there is nothing older.",
        query=(
            Parameter(
                "limit",
                f"At most so many lines, 1 to {_MOST_LINES}.",
                {"type": "integer", "minimum": 1, "maximum": _MOST_LINES, "default": _LINES},
                _LINES,
            ),
            Parameter(
                "after",
                "The `next` of the page before.",
                {"type": "string", "maxLength": _LONGEST_CURSOR},
                _CURSOR,
            ),
            _choice("action", "Only this operation.", "export_clips"),
            _choice("key_id", "Only what was done with this key.", "4f1c2d7e"),
            _choice("task_id", "Only what is about this task.", "8f14e45fceea167a5a36dedd4bea2543"),
        ),
        answer=AuditPage,
        errors={
            BadInput: "after must be the `next` of an answer of /audit.",
            Unavailable: "The audit log cannot be read (Permission denied). Mend "
            "RUSHES_STATE_DIR on the machine of the API.",
        },
        answer_example={"lines": [_DEED], "next": _CURSOR},
    ),
)
