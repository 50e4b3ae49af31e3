"""From files that are admitted to a Task that workers share."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence

from msgspec.structs import replace
from opentelemetry.trace import SpanKind

from shared.domain import FileSpec, TaskKind
from shared.errors import RedisAway
from shared.ledger.records import ItemJob, NewTask, Sender, analyze_items
from shared.printable import printable
from shared.process import traces
from shared.process.logs import bound_task
from shared.watch.files import WatchedFile
from workers.watcher.folder.state import FolderState

log = logging.getLogger(__name__)


AdmittedFile = tuple[str, WatchedFile]  # whose turn has come, with its path


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
        for path, file in files:
            queued = replace(
                file,
                task_id=task.task_id,
                is_queued=True,
                made=state.signature(path),
                next_try_at=0.0,
                reason="",
            )
            table.queue(path, queued)
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
        common = replace(state.profile.spec, cache_id=state.facts.cache_id)
        together = [self._work(path) for path, file in files if not file.is_alone]
        items = analyze_items(together, common)
        for path, file in files:
            if file.is_alone:
                items += analyze_items([self._work(path)], common)
        name = os.path.basename(state.folder.path)
        message = f"From the watch folder {name}: waiting for a worker."
        leader = state.context.token
        sender = Sender(label=f"watch folder {printable(name)}")
        return NewTask(
            kind=TaskKind.INGEST, items=items, leader=leader, message=message, sender=sender
        )

    def _work(self, path: str) -> FileSpec:
        state = self._state
        media_type = state.media_type(path)
        return FileSpec(
            path=path,
            client_path=state.context.client_path(path, state.folder),
            media_type=media_type,
            wants=state.profile.parts(media_type),
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
