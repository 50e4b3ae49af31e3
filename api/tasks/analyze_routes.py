"""Start analyses and stop them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import cast

import msgspec
from starlette.concurrency import run_in_threadpool

from api.http.client_paths import ClientPaths
from api.http.endpoint import Call, Endpoint, RootsRule
from api.http.services import CoreServices
from api.models.model_keys import (
    check_allowed,
    check_loadable,
    known_model,
    wanted_key,
    why_not_loadable,
)
from api.tasks.answers import Accepted, CancelAnswer
from api.tasks.bodies import AnalyzeBody, CancelBody
from api.tasks.callers import OF_OTHERS, caller, check_in_roots, check_rootless, scopes_to_stop
from api.tasks.progress import enqueue, no_worker, note_accepted, waiting_hint
from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec, FileSpec, ModelKind, ProgressType, TaskKind
from shared.errors import (
    BadInput,
    Busy,
    FolderHangs,
    Missing,
    NoCacheFolder,
    NotAllowed,
    RushesError,
)
from shared.ledger.records import Asked, NewTask, OnBusy, Sender, StopResult, analyze_items, works
from shared.models import voice_model
from shared.models.languages import language_code, language_name
from shared.models.vocabulary import checked_vocabulary, most_relevant
from shared.people.names import checked_name
from shared.rights import KeyScope

log = logging.getLogger(__name__)


async def analyze(call: Call[AnalyzeBody], services: CoreServices) -> Accepted:
    """Analyze files.

    Starts a background task. One request with many files is much cheaper than many requests.
    What is done with the same model is skipped; a bad file fails alone and ends in
    `failed_files`; speech of a file without an audio track is `not_applicable`. A path in
    several lists is one file, whose pictures, speech and faces each have their own progress
    (`type` "video", "audio" and "faces"); pictures and faces come out of one decoding. Faces
    are grouped while the task runs, and all of them before it completes. One analysis runs at a
    time: see `on_busy`.
    """
    if call.body.on_busy == "replace-any":
        call.check(KeyScope.ADMIN)
        check_rootless(services.paths, 'on_busy "replace-any"')
    # Before it is accepted: what is accepted must not be answered with an error.
    missed = await run_in_threadpool(_missed_speakers, services, call.body)
    accepted = await run_in_threadpool(submit, services, call.body, call.sender)
    call.warnings.extend(missed)
    call.warnings.extend(_missed_faces(call.body))
    return accepted


def _missed_faces(body: AnalyzeBody) -> list[str]:
    """Return the warning that no faces are analyzed for the collection that is named."""
    only_speech = body.transcription_jobs and not body.visual_media_paths
    if not body.cluster_job_name or body.face_media_paths or only_speech:
        return []
    does = "receives voices only" if body.transcription_jobs else "had no effect"
    return [f"cluster_job_name {does}: face_media_paths names no file, so no faces are analyzed."]


def _missed_speakers(services: CoreServices, body: AnalyzeBody) -> list[str]:
    """Why the speakers that are wanted will not be told apart, where that is known before."""
    if body.speakers and not body.transcription_jobs:
        return ["speakers had no effect: it is about speech, and transcription_jobs names no file."]
    asked = services.settings.speakers if body.speakers is None else body.speakers
    if not (asked and body.transcription_jobs) or no_worker(services, TaskKind.ANALYZE):
        return []  # a worker that is yet to come may have what it takes
    try:
        why = why_not_loadable(services, voice_model.SPEC)
    except FolderHangs:  # the words can be had without
        return []
    return [f"Speakers are not told apart: {why}"] if why else []


def submit(services: CoreServices, body: AnalyzeBody, sender: Sender) -> Accepted:
    """Accept an analysis: everything that can be wrong is said before. Blocks."""
    cache_dir, files = _checked(services, body)
    roots = services.paths.cache_roots
    with contextlib.suppress(NoCacheFolder, NotAllowed, FolderHangs):  # a worker's matter
        services.folders.call(cache_dir, lambda: CacheDir.open(cache_dir, roots, create=False))
    given = checked_vocabulary(body.vocabulary or ())
    collection = checked_name(body.cluster_job_name) if body.cluster_job_name else ""
    common = AnalyzeSpec(
        cache_dir=cache_dir,
        files=(),
        collection=collection,
        face_eps=body.face_eps,
        face_min_samples=body.face_min_samples,
        audio_streams=body.audio_streams or services.settings.audio_streams,
        speakers=body.speakers,
        force=body.force,
        roots=services.paths.key_roots,
        vocabulary=most_relevant(given),
        uses_vocabulary=body.vocabulary != [],
        people_of=collection,
    )
    parts = {part for file in files for part in file.wants}
    common = msgspec.structs.replace(common, **_models(services, body, parts))
    task = NewTask(kind=TaskKind.ANALYZE, items=analyze_items(files, common), sender=sender)
    hint = waiting_hint(services, like=body.cache_dir)
    on_busy = body.on_busy or cast("OnBusy", services.settings.on_busy)
    if on_busy == "replace-any" and services.paths.key_roots is not None:
        on_busy = "replace"  # it may stop nothing outside its roots
    if services.ledger.submit(task, on_busy):
        enqueue(services, task)
        turn = ""
    else:
        turn = " It waits for its turn."
    note_accepted(task, turn=turn)
    _take_back(services, cache_dir, files)
    counted = f"{len(files)} file" + ("" if len(files) == 1 else "s")
    message = f"Analysis of {counted} accepted.{turn}{hint}"
    return Accepted(message=message, task_id=task.task_id)


def _take_back(services: CoreServices, cache_dir: str, files: Sequence[FileSpec]) -> None:
    """Files that are analyzed are left out no more. The task is accepted, whatever becomes of it:
    an error would let the client send it again."""
    paths = [file.path for file in files]
    try:
        services.folders.call(cache_dir, lambda: services.left_out.take_back(cache_dir, paths))
    except RushesError as error:
        log.warning("What the task names may still be left out: %s", error.message)


def _models(services: CoreServices, body: AnalyzeBody, parts: set[ProgressType]) -> dict[str, str]:
    """The keys of the request, else the active ones; those that are needed must be allowed."""
    keys: dict[str, str] = {}
    # Without a worker it waits in any case, and its machine may have the weights.
    may_wait = body.wait or no_worker(services, TaskKind.ANALYZE) is not None
    for name, kind, part, asked in (
        ("visual_model", ModelKind.VISUAL, ProgressType.VIDEO, body.visual_model_key),
        ("speech_model", ModelKind.SPEECH, ProgressType.AUDIO, body.speech_model_key),
        ("face_model", ModelKind.FACES, ProgressType.FACES, body.face_model_key),
    ):
        keys[name] = wanted_key(services, kind, asked, f"{name}_key")
        if part in parts:
            check_allowed(services, kind, keys[name], f"{name}_key")
            if not may_wait:
                spec = known_model(services, kind, keys[name], f"{name}_key")
                check_loadable(services, spec, f"{name}_key")
    return keys


def _checked(services: CoreServices, body: AnalyzeBody) -> tuple[str, list[FileSpec]]:
    """Everything about the request that can be wrong, without touching the media."""
    paths = services.paths
    cache_dir = paths.cache(body.cache_dir)
    visual = [
        _asked(paths, path, f"visual_media_paths[{n}]")
        for n, path in enumerate(body.visual_media_paths)
    ]
    speech = [
        _asked(
            paths,
            job.path,
            f"transcription_jobs[{n}].path",
            language_code(job.language, f"transcription_jobs[{n}].language"),
        )
        for n, job in enumerate(body.transcription_jobs)
    ]
    _check_languages(speech)
    faces = [
        _asked(paths, path, f"face_media_paths[{n}]")
        for n, path in enumerate(body.face_media_paths)
    ]
    if faces and not body.cluster_job_name:
        raise BadInput(
            "cluster_job_name is required with face_media_paths: the collection that receives "
            "the faces."
        )
    if not (visual or speech or faces):
        raise BadInput(
            "There is nothing to do: name files in visual_media_paths, transcription_jobs or "
            "face_media_paths."
        )
    files = works(visual, speech, faces)
    if all(file.refused for file in files):  # it could do nothing but stop another
        raise BadInput(files[0].refused)
    return cache_dir, files


def _asked(paths: ClientPaths, path: str, field: str, language: str | None = None) -> Asked:
    ours, refused = paths.listed(path, field)
    return Asked(path, ours, language, refused)


def _check_languages(jobs: Sequence[Asked]) -> None:
    """Raise BadInput where one file is to be transcribed in two languages."""
    first: dict[str, tuple[int, str]] = {}
    for n, job in enumerate(jobs):
        if job.language is None:
            continue
        other, language = first.setdefault(job.path, (n, job.language))
        if language != job.language:
            raise BadInput(
                f"transcription_jobs[{other}].language and transcription_jobs[{n}].language: "
                f"{language_name(language)} and {language_name(job.language)} for the same file "
                f"{job.client_path}; name one language a file."
            )


def cancel_task(call: Call[CancelBody], services: CoreServices) -> CancelAnswer:
    """Stop a task.

    Work that is finished stays. With nothing running: `cancelled` is false. Any key may stop
    its own tasks; those of others need the scope admin, a watch folder's watch.
    """
    found = _stop(call, services)
    if found.cancelled:
        message = "The task was asked to stop; its progress ends as cancelled."
    elif found.task_id:
        message = "The task has ended already."
    else:
        message = "Nothing of yours is running."
    return CancelAnswer(message=message, cancelled=found.cancelled, task_id=found.task_id)


def _stop(call: Call[CancelBody], services: CoreServices) -> StopResult:
    ledger, task_id, sender = services.ledger, call.body.task_id, call.sender
    record = ledger.record(task_id) if task_id else None
    scopes = scopes_to_stop(call, record) if record else ()
    for scope in scopes:
        call.check(scope)
    if record:
        check_in_roots(call, record)
    is_anothers = bool(scopes)
    return ledger.stop(task_id, sender.owner, caller(call) if is_anothers else "")


ENDPOINTS = (
    Endpoint(
        "POST /analyze",
        analyze,
        "Analysis",
        KeyScope.ANALYZE,
        is_audited=True,
        errors={
            BadInput: "There is nothing to do: name files in visual_media_paths, "
            "transcription_jobs or face_media_paths.",
            Busy: "Another analysis (c9f0f895fb98ab9159f51fd0297e236d) is still stopping or "
            "starting; retry shortly.",
        },
        status=202,
        example={"visual_media_paths": ["/footage/day1/A001.mov"], "transcription_jobs": [{}]},
        answer_example={"message": "Analysis of 1 file accepted."},
    ),
    Endpoint(
        "POST /analyze/cancel",
        cancel_task,
        "Analysis",
        roots=RootsRule.WITHIN,
        is_audited=True,
        errors={
            Missing: "There is no task 8f14e45fceea167a5a36dedd4bea2543.",
            **OF_OTHERS,
        },
        example={"task_id": ...},
        answer_example={"message": "The task was asked to stop; its progress ends as cancelled."},
    ),
)
