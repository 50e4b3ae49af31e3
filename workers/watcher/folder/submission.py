"""From files that are admitted to a Task that workers share."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from opentelemetry.trace import SpanKind

from shared.domain import FileSpec, TaskKind
from shared.errors import RedisAway
from shared.ledger.records import ItemJob, NewTask, Sender, analyze_items
from shared.media import MediaType
from shared.printable import printable
from shared.process import traces
from shared.process.logs import bound_task
from shared.watch.files import WatchedFile
from workers.watcher.folder.state import FolderState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AdmittedFile:
    """A file whose turn has come."""

    path: str
    file: WatchedFile
    media_type: MediaType


class Submitter:
    """Notes which Task has the files, then submits the Task.

    Whatever ends in between, the next watcher knows where they are. Raises NotLeader, RedisAway.
    """

    def __init__(self, state: FolderState, flush: Callable[[], None]) -> None:
        self._state = state
        self._flush = flush
        self._unsure: NewTask | None = None  # whether Redis took it is not known

    def submit(self, files: Sequence[AdmittedFile]) -> None:
        state, table = self._state, self._state.table
        task = self._task(files)
        for one in files:
            queued = replace(
                one.file,
                task_id=task.task_id,
                is_queued=True,
                made=state.signature(one.path),
                next_try_at=0.0,
                reason="",
            )
            table.queue(one.path, queued)
        self._unsure = task
        self.submit_unsure()

    def submit_unsure(self) -> None:
        """Submit again what Redis may not have taken, which is harmless."""
        if self._unsure:
            self._flush()
            self._enter(self._unsure)
            self._unsure = None

    def _task(self, files: Sequence[AdmittedFile]) -> NewTask:
        """Stills share Items, unless one is suspected of killing workers."""
        state = self._state
        common = replace(
            state.profile.spec(state.folder.cache_dir),
            cache_id=state.facts.cache_id,
            roots=state.folder.key_roots,
        )
        items = analyze_items([self._work(one) for one in files if not one.file.is_alone], common)
        for one in files:
            if one.file.is_alone:
                items += analyze_items([self._work(one)], common)
        name = os.path.basename(state.folder.path)
        message = f"From the watch folder {name}: waiting for a worker."
        leader = state.context.token
        sender = Sender(label=f"watch folder {printable(name)}")
        return NewTask(
            kind=TaskKind.INGEST, items=items, leader=leader, message=message, sender=sender
        )

    def _work(self, one: AdmittedFile) -> FileSpec:
        state = self._state
        return FileSpec(
            path=one.path,
            client_path=state.context.client_path(one.path, state.folder),
            media_type=one.media_type,
            wants=state.profile.parts(one.media_type),
            language=state.profile.language,
        )

    def _enter(self, task: NewTask) -> None:
        context = self._state.context
        with traces.tracer().start_as_current_span(
            "submit ingest", kind=SpanKind.PRODUCER, attributes={"rushes.items": len(task.items)}
        ):
            context.ledger.submit(task)
        jobs = [ItemJob(task.task_id, n, task.queue, front=False) for n in range(len(task.items))]
        with bound_task(task.task_id):
            log.info("%s Items: %d.", task.message, len(jobs))
            try:
                context.jobs.enqueue(jobs)
            except RedisAway as error:  # it is accepted, and the sweep enqueues lost jobs
                log.warning("its jobs are enqueued later: %s", error.message)
