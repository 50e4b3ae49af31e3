"""One worker process: reads the settings and runs it."""

from __future__ import annotations

import functools
import resource
import sys

from shared.errors import SettingsError
from shared.msgspec_decoding import learn_types
from shared.process import logs, parent_pipe, traces
from shared.process.machine import decode_threads
from shared.settings import Settings
from workers.analysis.pipeline import analyze, why_not
from workers.analysis.stages.faces import FaceStage
from workers.analysis.stages.thumbnails import ThumbnailStage
from workers.analysis.stages.transcript import TranscriptStage
from workers.analysis.stages.visual import VisualStage
from workers.export.item import export_clip
from workers.export.item import why_not as why_not_export
from workers.query.service import QueryService
from workers.recluster.item import recluster
from workers.recluster.item import why_not as why_not_recluster
from workers.slot import Work
from workers.worker import Worker

ANALYSIS = Work(
    kind="analysis",
    run=functools.partial(
        analyze, stages=(ThumbnailStage, VisualStage, FaceStage), sound=TranscriptStage
    ),
    why_not=why_not,
)
RECLUSTER = Work(kind="recluster", run=recluster, why_not=why_not_recluster, models=())
EXPORT = Work(kind="export", run=export_clip, why_not=why_not_export, models=())
_WORK = {work.kind: work for work in (ANALYSIS, RECLUSTER, EXPORT)}
_USAGE = "Usage: python -m workers analysis|recluster|export|query|watcher"
_WRONG_USE = 2
_OPEN_FILES = 4096  # macOS starts processes with no more
_OPEN_FILES_AN_ITEM = 768  # of 64 stills with faces, while they are published


def start(arguments: list[str]) -> int:
    """Run one worker until it is told to end; returns the exit status."""
    if len(arguments) != 1 or arguments[0] not in (*_WORK, "query"):
        print(_USAGE, file=sys.stderr)
        return _WRONG_USE
    kind = arguments[0]
    try:
        settings = Settings.from_env()
        if settings.redis_url is None:
            raise SettingsError(
                "RUSHES_REDIS_URL is not set: a worker on its own needs the Redis of its server "
                "(`rushes up` runs one)."
            )
        traces.start(settings, f"{kind}-worker")
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        return _WRONG_USE
    logs.configure(f"{kind}-worker", settings.log_level, settings.log_format)
    allow_open_files(decode_threads(settings))
    learn_types()
    worker = QueryService(settings) if kind == "query" else Worker(settings, _WORK[kind])
    worker.take_signals()
    parent_pipe.watch()
    try:
        return worker.serve()
    finally:
        traces.shut_down()


def allow_open_files(items: int = 1) -> None:
    """Raise the limit of open files to what work needs, as far as the system lets a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(_OPEN_FILES, items * _OPEN_FILES_AN_ITEM)
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
