"""Typed values of the ledger: what goes into it, what comes out of it, and Items made of files."""

from __future__ import annotations

import itertools
import math
import posixpath
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.domain import (
    AnalyzeSpec,
    FailedFile,
    Fault,
    FileSpec,
    NotApplicable,
    ProgressType,
    TaskKind,
    TaskState,
)
from shared.media import MediaType, media_type_of
from shared.msgspec_decoding import UNDECODABLE
from shared.paths import covering_folders

WRITER_DIGITS = 12  # of a Task's id in Lease.writer
_MOST_FOLDERS = 32  # of a Task: they are read with each of its states


class ItemFile(msgspec.Struct, frozen=True, array_like=True):
    """One file of an Item and what is wanted of it; each (file, type) is one unit of progress."""

    media_path: str  # as the client wrote it
    wants: tuple[ProgressType, ...] = (ProgressType.VIDEO,)


class NewItem(msgspec.Struct, frozen=True):
    spec: bytes
    files: tuple[ItemFile, ...] = ()

    @classmethod
    def analyze(cls, spec: AnalyzeSpec) -> NewItem:
        """The Item of an analysis, with its files taken from the spec."""
        files = tuple(ItemFile(work.client_path, work.wants) for work in spec.files)
        return cls(msgspec.json.encode(spec), files)

    @property
    def units(self) -> dict[ProgressType, int]:
        return dict(Counter(kind for file in self.files for kind in file.wants))


def new_task_id() -> str:
    """A new Task id, 128 random bits: knowing one is the right to watch the Task."""
    return secrets.token_hex(16)


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent a Task. Tasks of one owner replace each other; owners take turns."""

    owner: str = ""  # id of the licence key; "": nobody's, as Tasks of earlier versions
    label: str = ""  # what people call that key
    address: str = ""  # of the client
    client: str = ""  # what it calls itself


NOBODY = Sender()


class _SpecPlaces(msgspec.Struct):
    """The paths in the spec of an Item, whichever kind its Task is of."""

    cache_dir: str = ""
    output_dir: str = ""
    media_path: str = ""
    files: tuple[dict[str, Any], ...] = ()

    def media_folders(self) -> set[str]:
        files = [self.media_path, *(file["path"] for file in self.files)]
        return set(map(posixpath.dirname, files))


class NewTask(msgspec.Struct, frozen=True, kw_only=True):
    kind: TaskKind
    items: list[NewItem]
    queue: str = "analysis"
    message: str = "Waiting for a worker."
    leader: str = ""  # token of the watcher that submits it: refused when it is active no more
    sender: Sender = NOBODY
    exclusive: str = ""  # only one open Task may have this (Busy for a second); "": any number
    task_id: str = msgspec.field(default_factory=new_task_id)

    @property
    def units(self) -> dict[ProgressType, int]:
        """Number of files by type of progress."""
        units: Counter[ProgressType] = Counter()
        for item in self.items:
            units.update(item.units)
        return dict(units)

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders in the server's form that hold all files of the Task; none: unknown."""
        try:
            specs = [msgspec.json.decode(item.spec, type=_SpecPlaces) for item in self.items]
        except UNDECODABLE:
            return ()
        written = {f for spec in specs for f in (spec.cache_dir, spec.output_dir) if f[:1] == "/"}
        media = {f for spec in specs for f in spec.media_folders() if f[:1] == "/"}
        most = max(1, _MOST_FOLDERS - len(written))
        return tuple(sorted({*written, *covering_folders(media, most)}))  # others no one can open


class Lease(msgspec.Struct, frozen=True):
    """One worker's hold of one Item. `tries` counts earlier errors and losses."""

    task_id: str
    item_id: int
    token: int
    nonce: str
    spec: bytes
    tries: int
    worker: str
    kind: TaskKind
    trace: str = ""  # the span that submitted the Task (traces.carried)
    given_up: tuple[int, ...] = ()  # files of the Item that nobody shall try again

    @property
    def writer(self) -> str:
        """Name of this hold in temporary files: too little of the Task's id to watch it."""
        return f"{self.task_id[:WRITER_DIGITS]}-{self.item_id}-{self.token}"


class ItemJob(NamedTuple):
    """An RQ job to be enqueued for an Item; foreground work goes to the front of its queue."""

    task_id: str
    item_id: int
    queue: str
    front: bool


OnBusy = Literal["replace", "replace-any", "queue", "refuse"]
WaitCode = Literal["turn", "model", "root", "worker"]
Renewal = Literal["ok", "stop", "lost", "yield"]
Outcome = Literal["done", "failed", "cancelled"]


class StopResult(msgspec.Struct, frozen=True):
    cancelled: bool
    task_id: str | None


class WaitReason(msgspec.Struct, frozen=True):
    """Why a Task or an Item waits."""

    code: WaitCode
    key: str  # of the model, the root, the kind of worker, or the Task that it waits for
    message: str
    owner: str = ""  # label of that Task's owner
    queue: str = ""  # of what is parked: whose workers could do it
    host: str = ""  # the machine that could not; "" where there was none
    folders: tuple[str, ...] = ()  # of the files of the Task that it waits for


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The newest state of a Task: the Socket.IO payload plus what `/tasks` adds.

    `progress`, `current` and `total` belong to `type`; `overall_progress` to the whole Task.
    """

    task_id: str
    kind: TaskKind
    type: ProgressType
    status: TaskState
    progress: float
    overall_progress: float
    current: int
    total: int
    media_path: str | None
    message: str
    eta_seconds: float | None
    failed_files: tuple[FailedFile, ...]  # complete, and only there once the Task is final
    error: str | None
    superseded_by: str | None
    seq: int
    created_at: float
    finished_at: float | None
    sender: Sender
    waiting_for: WaitReason | None  # of a Task that is queued, where the ledger knows it
    place: int | None  # in line for the lock: 1 is next
    put_first_by: str = ""  # what people call who put it first, where that was not its owner
    not_applicable: tuple[NotApplicable, ...] = ()  # as `failed_files`
    finished_types: tuple[tuple[ProgressType, int], ...] = ()  # all files ended: type, total
    folders: tuple[str, ...] = ()  # as NewTask.folders; none: an earlier version accepted it


class FileState(StrEnum):
    """How far one file of a Task is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FileRecord(msgspec.Struct, frozen=True):
    """What became of one file of a Task, and which worker did it."""

    media_path: Annotated[str, Meta(examples=["/footage/day1/A002.mov"])]
    """In the client's form."""
    state: FileState
    worker: Annotated[str | None, Meta(examples=["analysis-1"])]
    """Who did it."""
    error: Annotated[str | None, Meta(examples=["The file does not exist."])]
    """Why it failed."""
    fault: Annotated[Fault | None, Meta(examples=["missing"])] = None
    """What that is a fault of: the file itself (file, unsupported), its being written or gone
    (changing, missing), or something around it, which another try may find mended (cache, model,
    worker, internal)."""
    not_applicable: Annotated[str, Meta(examples=["It has no audio track."])] | UnsetType = UNSET
    """Why a part of what was asked for does not apply to it, which is no failure. Absent where all
    of it does."""


STILLS_PER_ITEM = 64
_STILLS_WORTH_A_BATCH = 16
_SHARES = 4  # Items that even a short list of stills is cut into, so that workers share it

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A file of a request: path in the client's form and in ours, code of its language if given."""

    client_path: str
    path: str
    language: str | None = None
    refused: str = ""  # why its path can be used by none


def works(
    visual: Iterable[Asked], speech: Iterable[Asked], faces: Iterable[Asked] = ()
) -> list[FileSpec]:
    """The files of a request, each once, with all that is wanted of it.

    An unknown extension counts as a video: decoding decides, and says why it fails. The languages
    of a file that is asked for twice must not differ; one that is given counts.
    """
    found: dict[str, FileSpec] = {}
    parts = (
        (ProgressType.VIDEO, visual),
        (ProgressType.AUDIO, speech),
        (ProgressType.FACES, faces),
    )
    for kind, files in parts:
        for file in files:
            known = found.get(file.path)
            if known is None:
                media_type = media_type_of(file.path) or MediaType.VIDEO
                known = FileSpec(
                    file.path, file.client_path, media_type, wants=(), refused=file.refused
                )
            found[file.path] = msgspec.structs.replace(
                known,
                wants=tuple(dict.fromkeys((*known.wants, kind))),
                language=file.language or known.language,
            )
    return list(found.values())


def analyze_items(files: Sequence[FileSpec], common: AnalyzeSpec) -> list[NewItem]:
    """One Item a video or sound file; stills in batches that are even, large enough and shared.

    `common` holds what all Items share; a model is named to those only that need it, the
    collection to all as soon as one needs it.
    """
    if not any(ProgressType.FACES in file.wants for file in files):
        common = msgspec.structs.replace(common, collection="")
    stills = [file for file in files if file.media_type is MediaType.IMAGE]
    groups = [(file,) for file in files if file.media_type is not MediaType.IMAGE]
    return [
        NewItem.analyze(_spec(common, tuple(group))) for group in (*groups, *_even_groups(stills))
    ]


def _spec(common: AnalyzeSpec, files: tuple[FileSpec, ...]) -> AnalyzeSpec:
    wanted = {kind for file in files for kind in file.wants}
    return msgspec.structs.replace(
        common,
        files=files,
        visual_model=common.visual_model if ProgressType.VIDEO in wanted else "",
        speech_model=common.speech_model if ProgressType.AUDIO in wanted else "",
        vocabulary=common.vocabulary if ProgressType.AUDIO in wanted else (),
        people_of=common.people_of if ProgressType.AUDIO in wanted else "",
        face_model=common.face_model if ProgressType.FACES in wanted else "",
    )


def _even_groups(stills: Sequence[T]) -> list[Sequence[T]]:
    if not stills:
        return []
    size = min(STILLS_PER_ITEM, max(_STILLS_WORTH_A_BATCH, math.ceil(len(stills) / _SHARES)))
    count = math.ceil(len(stills) / size)
    borders = [round(n * len(stills) / count) for n in range(count + 1)]
    return [stills[start:end] for start, end in itertools.pairwise(borders)]
