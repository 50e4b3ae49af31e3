"""For administrators: the machines, what `rushes doctor` says, and the audit log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from api.http.answers import ModelKey
from api.http.endpoint import Call, Endpoint, RootsRule
from api.http.parameters import flag, text_parameter, whole_number
from api.http.services import CoreServices
from api.monitoring.doctor import Doctor, DoctorReport
from api.monitoring.missing import missing_workers, unseen_roots, unusable_models
from shared.audit import AuditLog, AuditWish
from shared.domain import ModelKind
from shared.errors import BadInput, Unavailable
from shared.ledger.reading import HeldItem, held_items
from shared.models.model_catalogue import active_models
from shared.redis import heartbeats
from shared.redis.heartbeats import DesiredModel, Heartbeat, ModelState, WorkerKind, WorkerState
from shared.rights import KeyScope

_Lacks = Annotated[
    list[str],
    Meta(
        description="Sentences: what is missing, and its cure.",
        examples=[["No export worker runs: clips wait. Start `rushes worker export`."]],
    ),
]
_ORDER: tuple[WorkerKind, ...] = get_args(WorkerKind)
_WITHOUT: Mapping[WorkerKind, str] = {
    "analysis": "Without it nothing is analyzed: tasks wait.",
    "query": "Without it nothing can be searched by words or pictures, and nothing is previewed.",
    "recluster": "Without it faces are not grouped: such tasks wait.",
    "export": "Without it no clips are exported: such tasks wait.",
    "watcher": "Without it new files in watch folders are not noticed.",
}
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


class ProcessModel(Struct, kw_only=True):
    """A model in the memory of a process, on its way there, or one that it cannot use."""

    kind: Annotated[
        Literal["visual", "speech", "faces"], Meta(title="ModelKind", examples=["visual"])
    ]
    """Kind of model."""
    model_key: ModelKey
    bytes: Annotated[int, Meta(ge=0, examples=[180_000_000])] | None
    """Memory that it is expected to take; null: not told."""
    is_loading: bool
    """On its way into memory."""
    error: (
        Annotated[str, Meta(examples=["This model needs torch, which is not installed here."])]
        | None
    )
    """Why it cannot be used there; null: it can."""


class MachineProcess(Struct, kw_only=True):
    """A worker or watcher that is alive."""

    name: Annotated[str, Meta(examples=["analysis-edit3-412-9f2c1a"])]
    """Name of the process."""
    kind: Annotated[WorkerKind, Meta(title="WorkerKind", examples=["analysis"])]
    """What it is for."""
    pid: Annotated[int, Meta(examples=[412])]
    """Its number on that machine."""
    state: Annotated[WorkerState, Meta(title="WorkerState", examples=["working"])]
    """What it does."""
    message: Annotated[str, Meta(examples=[""])]
    """Why it waits, or what it loads; empty: nothing to say."""
    task_id: Annotated[str, Meta(examples=["8f14e45fceea167a5a36dedd4bea2543"])] | None
    """The task that it works on; null: none."""
    media_path: Annotated[str, Meta(examples=["/footage/day1/A001.mov"])] | None
    """A file that it works on; null: none, or work without a file."""
    started_at: Annotated[float, Meta(examples=[1764028800.0])]
    """Start of the process, Unix seconds."""
    models: list[ProcessModel]
    """Models that it has, or cannot have."""
    roots_missing: Annotated[list[str], Meta(examples=[["/mnt/show2"]])]
    """Folders of RUSHES_MEDIA_ROOTS and RUSHES_CACHE_ROOTS that it does not see; processes that
    look into none say nothing of them."""


class MachineState(Struct, kw_only=True):
    """A machine, or a container, with its processes."""

    host: Annotated[str, Meta(examples=["edit3"])]
    """Its name."""
    processes: list[MachineProcess]
    """By kind and name."""
    lacks: _Lacks


class MachineList(Struct, kw_only=True):
    """All machines on which something of this server lives, by name."""

    machines: list[MachineState]
    """By name."""
    lacks: _Lacks


def machines(services: CoreServices) -> MachineList:
    """Machines with a process that is alive. Raises RedisAway."""
    settings = services.settings
    live = heartbeats.live(services.redis, settings.instance)
    active = active_models(services.redis, settings)
    in_hand = {
        (item.worker, item.task_id): item for item in held_items(services.redis, settings.instance)
    }
    by_host: dict[str, list[Heartbeat]] = {}
    for beat in sorted(live, key=lambda each: (each.host, _ORDER.index(each.kind), each.name)):
        by_host.setdefault(beat.host, []).append(beat)
    return MachineList(
        machines=[
            MachineState(
                host=host,
                processes=[_process(services, beat, in_hand, active) for beat in beats],
                lacks=[*_lacks_here(services, host, beats, active)],
            )
            for host, beats in by_host.items()
        ],
        lacks=[*_lacks(services, live, active)],
    )


def _process(
    services: CoreServices,
    beat: Heartbeat,
    in_hand: Mapping[tuple[str, str], HeldItem],
    active: Mapping[ModelKind, DesiredModel],
) -> MachineProcess:
    item = in_hand.get((beat.name, beat.task_id)) if beat.task_id else None
    return MachineProcess(
        name=beat.name,
        kind=beat.kind,
        pid=beat.pid,
        state=beat.state,
        message=services.paths.in_words(beat.message),
        task_id=beat.task_id,
        media_path=item.media_path or None if item else None,
        started_at=beat.started_at,
        models=[*_models(beat, active)],
        roots_missing=[services.paths.back(root) for root in _unseen(services, beat)],
    )


def _models(beat: Heartbeat, active: Mapping[ModelKind, DesiredModel]) -> Iterator[ProcessModel]:
    """The models in memory, then those of which only the state is told."""
    held = {model.model_key for model in beat.held}
    for model in beat.held:
        state = beat.models.get(model.kind)
        is_it = state is not None and _key(model.kind, state, active) == model.model_key
        yield ProcessModel(
            kind=model.kind.value,
            model_key=model.model_key,
            bytes=model.bytes,
            is_loading=model.is_loading,
            error=state.error if state and is_it else None,
        )
    for kind, state in beat.models.items():
        key = _key(kind, state, active)
        if key not in held and (state.model_key or state.is_loading or state.error):
            yield ProcessModel(
                kind=kind.value,
                model_key=key,
                bytes=None,
                is_loading=state.is_loading,
                error=state.error,
            )


def _key(kind: ModelKind, state: ModelState, active: Mapping[ModelKind, DesiredModel]) -> str:
    """The model that a state is about: the loaded one, else the active one."""
    return state.model_key or active[kind].key


def _lacks_here(
    services: CoreServices,
    host: str,
    beats: Sequence[Heartbeat],
    active: Mapping[ModelKind, DesiredModel],
) -> Iterator[str]:
    """What processes of one machine lack, each sentence once."""
    unseen = {root: None for beat in beats for root in _unseen(services, beat)}
    for root in unseen:
        yield (
            f"{services.paths.back(root)} is not seen on {host}. Mount its disk there, or take it "
            "out of RUSHES_MEDIA_ROOTS and RUSHES_CACHE_ROOTS."
        )
    errors = {
        (kind, _key(kind, state, active), state.error): None
        for beat in beats
        for kind, state in beat.models.items()
        if state.error
    }
    for kind, key, error in errors:
        what = "face" if kind is ModelKind.FACES else kind.value
        said = services.paths.in_words(error or "")
        yield f"The {what} model {key} cannot be used on {host}: {said}"


def _lacks(
    services: CoreServices, live: Sequence[Heartbeat], active: Mapping[ModelKind, DesiredModel]
) -> Iterator[str]:
    """What no machine has."""
    there = {beat.kind for beat in live}
    for kind in _ORDER:
        if kind in there or (kind == "watcher" and not services.watch_folders.all()):
            continue
        yield f"{missing_workers([kind])} {_WITHOUT[kind]}"
    for sentence in unusable_models(services, active, live):
        yield services.paths.in_words(sentence)
    if live:
        for sentence in unseen_roots(services.settings, live):
            yield services.paths.in_words(sentence)


def _unseen(services: CoreServices, beat: Heartbeat) -> list[str]:
    """Return the configured roots that a process does not see. A watcher reports none."""
    if beat.roots is None:
        return []
    settings = services.settings
    configured = (*(settings.media_roots or ()), *(settings.cache_roots or ()))
    return [root for root in dict.fromkeys(map(str, configured)) if root not in beat.roots]


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
