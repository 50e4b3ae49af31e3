"""Try again what of a task has failed: a new task with the same settings, for these files alone."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import redis
from redis.exceptions import LockError

from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from api.tasks.analyze_routes import submit
from api.tasks.answers import Accepted
from api.tasks.bodies import AnalyzeBody, RetryTaskBody, TranscriptionJob
from api.tasks.callers import OF_OTHERS, check_in_roots, is_own
from shared.domain import AnalyzeSpec, FileSpec, ProgressType, TaskKind
from shared.errors import BadInput, Busy, Missing, RedisAway
from shared.ledger.analysis_files import AnalysisFiles
from shared.ledger.records import TaskRecord
from shared.redis.clients import key_prefix
from shared.rights import KeyScope

log = logging.getLogger(__name__)
_SHOWN = 200  # characters of a path in a message
_KEPT_S = 86_400  # as the Task whose files these are
_LOCK_S = 60.0  # a request that takes longer was killed
_PATIENCE_S = 10.0


class Retries:
    """The retries of one instance. `client` must decode responses."""

    def __init__(self, client: redis.Redis, instance: str) -> None:
        self._redis = client
        self._prefix = key_prefix(instance)

    @contextlib.contextmanager
    def one_at_a_time(self, task_id: str) -> Iterator[None]:
        """Whoever wants to retry the same Task meanwhile waits. Raises Busy."""
        name = f"{self._prefix}retrying:{task_id}"
        lock = self._redis.lock(name, timeout=_LOCK_S, blocking_timeout=_PATIENCE_S)
        if not lock.acquire():
            raise Busy(
                f"Files of task {task_id} are being put in line again just now: look at the "
                "tasks, then ask again."
            )
        try:
            yield
        finally:
            with contextlib.suppress(LockError, RedisAway):  # it ends by itself
                lock.release()

    def tried_by(self, task_id: str) -> dict[str, str]:
        """Files of a Task, in the server's form -> the Task that tried it again last."""
        found: Any = self._redis.hgetall(self._key(task_id))
        return dict(found)

    def note(self, task_id: str, paths: Iterable[str], new_task_id: str) -> None:
        with self._redis.pipeline() as pipe:
            pipe.hset(self._key(task_id), mapping=dict.fromkeys(paths, new_task_id))
            pipe.expire(self._key(task_id), _KEPT_S)
            pipe.execute()

    def _key(self, task_id: str) -> str:
        return f"{self._prefix}retries:{task_id}"


def retry_task(call: Call[RetryTaskBody], services: CoreServices) -> Accepted:
    """Try again what failed.

    A new analysis, with the same models, languages, collection, vocabulary and cache folder, of
    the files that failed in a task that has ended, and of those parts of them (pictures,
    speech, faces) that failed. It is accepted as any other, is the asking key's, and waits for
    its turn. Files that an earlier retry of the task still has in hand are not put in line
    again; where it has all of them, it is the answer. Own tasks; those of others need the scope
    admin. What became of a task is kept for a day.
    """
    task_id = call.path["task_id"]
    record = services.ledger.record(task_id)
    if record is None:
        raise Missing(
            f"There is no task {task_id}: what became of a task is kept for a day after its end."
        )
    if not is_own(call, record):
        call.check(KeyScope.ADMIN)
    check_in_roots(call, record)
    _check_over(record)
    failed = AnalysisFiles(services.redis, services.settings.instance).failed_work(task_id)
    if not failed:
        raise BadInput(f"No file of task {task_id} has failed: there is nothing to try again.")
    if call.body.paths is not None:
        failed = _named(services, failed, call.body.paths)
    retries = Retries(services.redis, services.settings.instance)
    with retries.one_at_a_time(task_id):
        accepted = _submit_once(call, services, task_id, failed, retries)
    call.audited["retried_task_id"] = task_id
    return accepted


def _submit_once(
    call: Call[RetryTaskBody],
    services: CoreServices,
    task_id: str,
    failed: list[tuple[AnalyzeSpec, FileSpec]],
    retries: Retries,
) -> Accepted:
    """A new task for what no retry has in hand by now; where one has all of it, that one."""
    tried = retries.tried_by(task_id)
    records = {each: services.ledger.record(each) for each in set(tried.values())}
    is_open = {each for each, record in records.items() if record and not record.status.is_final}
    left = [work for work in failed if tried.get(work[1].path) not in is_open]
    if not left:
        path = failed[0][1].path
        return Accepted(message="It is being tried again already.", task_id=tried[path])
    accepted = submit(services, _again(services, left), call.sender)
    try:
        retries.note(task_id, {file.path for _, file in left}, accepted.task_id)
    except RedisAway as error:  # it is accepted all the same
        log.warning("A second retry of task %s would not know the first: %s", task_id, error)
    return accepted


def _check_over(record: TaskRecord) -> None:
    """Raise BadInput unless it is an analysis that somebody sent, and has ended."""
    if record.kind is TaskKind.INGEST:
        raise BadInput(
            f"Task {record.task_id} is a watch folder's, which tries again by itself: use POST "
            "/watch-folders/{watch_folder_id}/retry for what it has given up."
        )
    if record.kind is not TaskKind.ANALYZE:
        raise BadInput(f"Task {record.task_id} is no analysis: ask anew for what it was to make.")
    if not record.status.is_final:
        raise BadInput(
            f"Task {record.task_id} has not ended: wait for its end, or cancel it, then try again."
        )


def _named(
    services: CoreServices, failed: list[tuple[AnalyzeSpec, FileSpec]], asked: list[str]
) -> list[tuple[AnalyzeSpec, FileSpec]]:
    """The work on the files that are asked for. Raises BadInput for one that did not fail."""
    by_path: dict[str, tuple[AnalyzeSpec, FileSpec]] = {}
    for work in failed:
        by_path[work[1].path] = by_path[work[1].client_path] = work
    found: dict[int, tuple[AnalyzeSpec, FileSpec]] = {}
    for n, path in enumerate(asked):
        ours, _ = services.paths.listed(path, f"paths[{n}]")
        known = by_path.get(path) or by_path.get(ours)
        if known is None:
            raise BadInput(
                f"paths[{n}]: {path[:_SHOWN]} is not among the files of this task that failed."
            )
        found[id(known)] = known
    return list(found.values())


def _again(services: CoreServices, failed: list[tuple[AnalyzeSpec, FileSpec]]) -> AnalyzeBody:
    """The request that asks for this work, with the settings of the one that failed."""
    specs, files = [spec for spec, _ in failed], [file for _, file in failed]
    first = specs[0]
    no_words = None if first.uses_vocabulary else list[str]()

    def of_part(part: ProgressType) -> list[FileSpec]:
        return [file for file in files if part in file.wants]

    cache_dir = services.paths.back(first.cache_dir, like=files[0].client_path)
    return AnalyzeBody(
        cache_dir=cache_dir,
        visual_media_paths=[file.client_path for file in of_part(ProgressType.VIDEO)],
        transcription_jobs=[
            TranscriptionJob(path=file.client_path, language=file.language)
            for file in of_part(ProgressType.AUDIO)
        ],
        face_media_paths=[file.client_path for file in of_part(ProgressType.FACES)],
        cluster_job_name=_first(spec.collection or spec.people_of for spec in specs),
        face_eps=first.face_eps,
        face_min_samples=first.face_min_samples,
        visual_model_key=_first(spec.visual_model for spec in specs),
        speech_model_key=_first(spec.speech_model for spec in specs),
        face_model_key=_first(spec.face_model for spec in specs),
        audio_streams=first.audio_streams,  # type: ignore[arg-type]
        speakers=first.speakers,
        vocabulary=list(_first(spec.vocabulary for spec in specs) or ()) or no_words,
        force=first.force,
        on_busy="queue",
    )


def _first(values: Iterable[Any]) -> Any:
    """The first that is set: an Item names only what it needs itself."""
    return next((value for value in values if value), None)


ENDPOINTS = (
    Endpoint(
        "POST /tasks/{task_id}/retry",
        retry_task,
        "Analysis",
        KeyScope.ANALYZE,
        is_audited=True,
        errors={
            BadInput: "No file of task 8f14e45fceea167a5a36dedd4bea2543 has failed: there is "
            "nothing to try again.",
            Busy: "Files of task 8f14e45fceea167a5a36dedd4bea2543 are being put in line again just "
            "now: look at the tasks, then ask again.",
            Missing: "There is no task 8f14e45fceea167a5a36dedd4bea2543: what became of a task is "
            "kept for a day after its end.",
            **OF_OTHERS,
        },
        status=202,
        example={"paths": ...},
        answer_example={"message": "Analysis of 1 file accepted."},
    ),
)
