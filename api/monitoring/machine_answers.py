"""What is answered about machines: the processes that live there, and what they lack."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.http.answers import ModelKey
from shared.redis.heartbeats import WorkerKind, WorkerState

_Lacks = Annotated[
    list[str],
    Meta(
        description="Sentences: what is missing, and its cure.",
        examples=[["No export worker runs: clips wait. Start `rushes worker export`."]],
    ),
]


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
