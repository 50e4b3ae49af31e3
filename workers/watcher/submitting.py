"""From files that have their turn to a Task that workers share."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from opentelemetry.trace import SpanKind

from shared.domain import FileWork, TaskKind
from shared.errors import RedisAway
from shared.ledger.analyze_items import analyze_items
from shared.ledger.records import Bell, NewTask
from shared.media import MediaType
from shared.process import traces
from shared.process.logs import bound_task
from shared.watch.files import WatchedFile
from shared.watch.folders import WatchFolder
from workers.watcher.tools import Tools
from workers.watcher.wanted import Wanted

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """A file whose turn has come."""

    path: str
    file: WatchedFile
    media_type: MediaType


def client_path(tools: Tools, folder: WatchFolder, path: str) -> str:
    """The path as the client that made the folder writes it."""
    return tools.paths.to_client(path, folder.client_path)


def new_task(
    tools: Tools, folder: WatchFolder, cache_id: str, wanted: Wanted, turns: Sequence[Turn]
) -> NewTask:
    """The Task of these files. Stills share Items, unless one is suspected of killing workers."""
    common = msgspec.structs.replace(wanted.spec(folder.cache_dir), cache_id=cache_id)
    together = [_work(tools, folder, wanted, turn) for turn in turns if not turn.file.is_alone]
    items = analyze_items(together, common)
    for turn in turns:
        if turn.file.is_alone:
            items += analyze_items([_work(tools, folder, wanted, turn)], common)
    name = os.path.basename(folder.path)
    message = f"From the watch folder {name}: waiting for a worker."
    return NewTask(kind=TaskKind.INGEST, items=items, leader=tools.token, message=message)


def submit(tools: Tools, task: NewTask) -> None:
    """Enter it and ring; again is harmless. Raises RedisAway and StoodDown."""
    with traces.tracer().start_as_current_span(
        "submit ingest", kind=SpanKind.PRODUCER, attributes={"rushes.items": len(task.items)}
    ):
        tools.ledger.submit(task)
    bells = [Bell(task.task_id, n, task.queue, front=False) for n in range(len(task.items))]
    with bound_task(task.task_id):
        log.info("%s Items: %d.", task.message, len(bells))
        try:
            tools.bells.ring(bells)
        except RedisAway as error:  # it is accepted, and the sweep rings lost bells
            log.warning("its bells come later: %s", error.message)


def _work(tools: Tools, folder: WatchFolder, wanted: Wanted, turn: Turn) -> FileWork:
    return FileWork(
        path=turn.path,
        client_path=client_path(tools, folder, turn.path),
        media_type=turn.media_type,
        wants=wanted.parts(turn.media_type),
        language=wanted.language,
    )
