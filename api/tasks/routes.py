"""Follow background tasks, put them first, and try again what of them has failed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import msgspec
import redis
from redis.exceptions import LockError
from starlette.concurrency import run_in_threadpool

from api.http.endpoint import Call, Endpoint, RootsRule
from api.http.parameters import choice, flag, text_parameter, whole_number
from api.http.services import CoreServices
from api.path_cursors import path_cursor, path_of
from api.tasks.analyze_routes import submit
from api.tasks.answers import Accepted, PutFirst, TaskAnswer, TaskList
from api.tasks.bodies import AnalyzeBody, PutFirstBody, RetryTaskBody, TranscriptionJob
from api.tasks.callers import (
    OF_OTHERS,
    caller,
    check_in_roots,
    check_rootless,
    is_in_roots,
    is_own,
    may_put_first,
    may_stop,
    scopes_to_put_first,
)
from api.tasks.progress import in_clients_form, no_worker, own_reason, reason_of, task_answer
from shared.domain import AnalyzeSpec, FileSpec, ProgressType, TaskKind
from shared.errors import BadInput, Busy, Missing, RedisAway
from shared.ledger.analysis_files import AnalysisFiles
from shared.ledger.records import TaskRecord
from shared.ledger.task_lists import EndedAt, LinePlace, WorkDone, work_done
from shared.msgspec_decoding import UNDECODABLE
from shared.process import logs
from shared.redis.clients import key_prefix
from shared.rights import KeyScope

log = logging.getLogger(__name__)

RECENT = 100
_MOST_TASKS = 1_000  # of one page
STATE = choice(
    "state",
    "`open`: all that run or wait, in the order of the line; `ended`: the last one "
    "first; `failed`: of these the ones with an error or with files that failed.",
    ("open", "ended", "failed"),
    "open",
)
LIMIT = whole_number("limit", f"At most so many tasks, 1 to {_MOST_TASKS}.", _MOST_TASKS, RECENT)
AFTER = text_parameter(
    "after",
    "The `next` of the page before, of the same state.",
    "WzEsMiwxNzY0MDI4ODAwLjAsIjhmMTRlNDVmY2VlYTE2N2E1YTM2ZGVkZDRiZWEyNTQzIl0",
)
DETAILS = flag(
    "details", "`true` adds how fast it goes, what has failed, and what the key may do with it."
)
P = TypeVar("P", LinePlace, EndedAt)


class _Page(NamedTuple):
    records: list[TaskRecord]
    next: str | None


def listed_tasks(call: Call[Any], services: CoreServices) -> TaskList:
    """What `GET /tasks` answers. Blocks."""
    query = call.query
    page = _page(services, STATE.read(query), AFTER.read(query), LIMIT.read(query))
    answer = TaskList(tasks=_answers(services, page.records))
    if "limit" in query or "after" in query:
        answer.next = page.next
    add_details(call, services, page.records, answer.tasks)
    return answer


def _page(services: CoreServices, state: str, after: str, limit: int) -> _Page:
    lists = services.task_lists
    if state == "open":
        place = _place(after, LinePlace)
        waiting = [pair for pair in lists.open() if place is None or pair[0] > place]
        shown = waiting[:limit]
        more = _cursor(shown[-1][0]) if len(waiting) > limit else None
        return _Page([record for _, record in shown], more)
    if state:
        ended = lists.ended(_place(after, EndedAt), limit + 1, failed=state == "failed")
        more = _cursor(ended[limit - 1]) if len(ended) > limit else None
        ids = [each.task_id for each in ended[:limit]]
    else:
        ids = lists.newest(path_of(after) if after else None, limit + 1)
        more = path_cursor(ids[limit - 1]) if len(ids) > limit else None
        ids = ids[:limit]
    return _Page([one for one in services.ledger.records(ids) if one is not None], more)


def _cursor(place: LinePlace | EndedAt) -> str:
    return path_cursor(msgspec.json.encode(tuple(place)).decode())


def _place(after: str, kind: type[P]) -> P | None:
    if not after:
        return None
    try:
        return msgspec.json.decode(path_of(after), type=kind, strict=True)
    except UNDECODABLE:
        raise BadInput(
            "after must be the `next` of an earlier answer with the same state."
        ) from None


def _answers(services: CoreServices, records: list[TaskRecord]) -> list[TaskAnswer]:
    unserved = {kind: no_worker(services, kind) for kind in {one.kind for one in records}}
    return [
        task_answer(services.paths, one, own_reason(one, unserved[one.kind])) for one in records
    ]


def add_details(
    call: Call[Any], services: CoreServices, records: list[TaskRecord], answers: list[TaskAnswer]
) -> None:
    """What `?details=true` asks for; nothing without it. Blocks."""
    if not DETAILS.read(call.query):
        return
    ids = [record.task_id for record in records]
    found = work_done(services.redis, services.settings.instance, ids)
    for record, answer, work in zip(records, answers, found, strict=True):
        answer.rate = work.rate
        answer.footage_seconds = work.footage_seconds
        answer.failed_count = work.failed_files
        answer.may_cancel = may_stop(call, record)
        answer.may_put_first = may_put_first(call, record)
        answer.cache_dir = _cache_dir(services, record, work)
        answer.is_own = bool(record.sender.owner) and record.sender.owner == call.sender.owner


def _cache_dir(services: CoreServices, record: TaskRecord, work: WorkDone) -> str | None:
    """In the form in which the task names its files."""
    if not work.cache_dir or not services.paths.is_of_key(work.cache_dir):
        return None
    failed = next((file.media_path for file in record.failed_files), None)
    return services.paths.back(work.cache_dir, like=record.media_path or failed)


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


_SHOWN = 200  # characters of a path in a message


async def retry_task(call: Call[RetryTaskBody], services: CoreServices) -> Accepted:
    """Try again what failed.

    A new analysis, with the same models, languages, collection, vocabulary and cache folder, of
    the files that failed in a task that has ended, and of those parts of them (pictures,
    speech, faces) that failed. It is accepted as any other, is the asking key's, and waits for
    its turn. Files that an earlier retry of the task still has in hand are not put in line
    again; where it has all of them, it is the answer. Own tasks; those of others need the scope
    admin. What became of a task is kept for a day.
    """
    task_id = call.path["task_id"]
    accepted = await run_in_threadpool(_retry, call, services, task_id)
    logs.task_id_var.set(accepted.task_id)
    call.audited["retried_task_id"] = task_id
    return accepted


def _retry(call: Call[RetryTaskBody], services: CoreServices, task_id: str) -> Accepted:
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
        return _submit_once(call, services, task_id, failed, retries)


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


_FILES = flag("files", "`true` adds what became of every file, and which worker did it.")


async def list_tasks(call: Call[None], services: CoreServices) -> TaskList:
    """Tasks."""
    return await run_in_threadpool(listed_tasks, call, services)


async def get_task(call: Call[None], services: CoreServices) -> TaskAnswer:
    """Last progress state of a task."""
    task_id = call.path["task_id"]
    logs.task_id_var.set(task_id)
    wants_files = _FILES.read(call.query)

    def read() -> TaskAnswer:
        record = services.ledger.record(task_id)
        if record is None:
            raise Missing(f"There is no task {task_id}.")
        paths = services.paths
        answer = task_answer(paths, record, reason_of(services, record))
        if wants_files:
            files = services.ledger.files(task_id) if is_in_roots(paths, record) else ()
            answer.files = in_clients_form(paths, files)
        add_details(call, services, [record], [answer])
        return answer

    return await run_in_threadpool(read)


async def put_task_first(call: Call[PutFirstBody], services: CoreServices) -> PutFirst:
    """Put a waiting task first.

    An analysis that waits for its turn comes before the others of its key; with `of_all` its
    key's turn is the next one, too. What runs is not stopped. Another key's task, and `of_all`,
    need the scope admin; its owner is told.
    """
    task_id = call.path["task_id"]
    logs.task_id_var.set(task_id)
    return await run_in_threadpool(_put_first, call, services, task_id)


def _put_first(call: Call[PutFirstBody], services: CoreServices, task_id: str) -> PutFirst:
    ledger = services.ledger
    record = ledger.record(task_id)
    if record is None:
        raise Missing(f"There is no task {task_id}.")
    for scope in scopes_to_put_first(call, record, of_all=call.body.of_all):
        call.check(scope)
    check_in_roots(call, record)
    if call.body.of_all:
        check_rootless(services.paths, "of_all")
    by = "" if is_own(call, record) else caller(call)
    moved = ledger.put_first(task_id, of_all=call.body.of_all, by=by)
    now = ledger.record(task_id)
    return PutFirst(
        message="It comes first now." if moved else "It does not wait for its turn.",
        moved=moved,
        place=now.place if now else None,
    )


_RUNNING = {"status": "running", "message": "Analyzing pictures", "place": None, "files": None}

ENDPOINTS = (
    Endpoint(
        "GET /tasks",
        list_tasks,
        "Analysis",
        description=f"The newest {RECENT}, in whichever state, or those in one `state`. What has "
        "ended is remembered for a day, the newest 1,000 of it, and the newest 1,000 in which "
        "something failed.",
        roots=RootsRule.FILTERED,
        query=(STATE, LIMIT, AFTER, DETAILS),
        errors={BadInput: "state must be one of open, ended, failed, not 'done'."},
        answer_example={"tasks": [_RUNNING]},
    ),
    Endpoint(
        "GET /tasks/{task_id}",
        get_task,
        "Analysis",
        roots=RootsRule.FILTERED,
        query=(_FILES, DETAILS),
        answer_example=_RUNNING,
    ),
    Endpoint(
        "POST /tasks/{task_id}/first",
        put_task_first,
        "Analysis",
        KeyScope.ANALYZE,
        is_audited=True,
        errors=OF_OTHERS,
        example={"of_all": False},
        answer_example={"message": "It comes first now."},
    ),
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
