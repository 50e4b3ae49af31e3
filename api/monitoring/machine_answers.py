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
        Literal["visual", "speech", "faces"], Meta(title="ModelKind", description="Kind of model.")
    ]
    model_key: ModelKey
    bytes: (
        Annotated[
            int,
            Meta(ge=0, description="Memory that it is expected to take; null: not told."),
        ]
        | None
    )
    is_loading: Annotated[bool, Meta(description="On its way into memory.")]
    error: (
        Annotated[
            str,
            Meta(
                description="Why it cannot be used there; null: it can.",
                examples=["This model needs torch, which is not installed here."],
            ),
        ]
        | None
    )


class MachineProcess(Struct, kw_only=True):
    """A worker or watcher that is alive."""

    name: Annotated[
        str, Meta(description="Name of the process.", examples=["analysis-edit3-412-9f2c1a"])
    ]
    kind: Annotated[
        WorkerKind, Meta(title="WorkerKind", description="What it is for.", examples=["analysis"])
    ]
    pid: Annotated[int, Meta(description="Its number on that machine.", examples=[412])]
    state: Annotated[
        WorkerState, Meta(title="WorkerState", description="What it does.", examples=["working"])
    ]
    message: Annotated[
        str, Meta(description="Why it waits, or what it loads; empty: nothing to say.")
    ]
    task_id: (
        Annotated[
            str,
            Meta(
                description="The task that it works on; null: none.",
                examples=["8f14e45fceea167a5a36dedd4bea2543"],
            ),
        ]
        | None
    )
    media_path: (
        Annotated[
            str,
            Meta(
                description="A file that it works on; null: none, or work without a file.",
                examples=["/footage/day1/A001.mov"],
            ),
        ]
        | None
    )
    started_at: Annotated[
        float, Meta(description="Start of the process, Unix seconds.", examples=[1764028800.0])
    ]
    models: Annotated[list[ProcessModel], Meta(description="Models that it has, or cannot have.")]
    roots_missing: Annotated[
        list[str],
        Meta(
            description="Folders of RUSHES_MEDIA_ROOTS and RUSHES_CACHE_ROOTS that it does not "
            "see; processes that look into none say nothing of them.",
            examples=[["/mnt/show2"]],
        ),
    ]


class MachineState(Struct, kw_only=True):
    """A machine, or a container, with its processes."""

    host: Annotated[str, Meta(description="Its name.", examples=["edit3"])]
    processes: Annotated[list[MachineProcess], Meta(description="By kind and name.")]
    lacks: _Lacks


class MachineList(Struct, kw_only=True):
    """All machines on which something of this server lives, by name."""

    machines: Annotated[list[MachineState], Meta(description="By name.")]
    lacks: _Lacks
