"""The kinds of workers, with what each of them does."""

from __future__ import annotations

import functools
import resource

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
from workers.worker import Work, Worker

ANALYSIS = Work(
    kind="analysis",
    run=functools.partial(
        analyze, stages=(ThumbnailStage, VisualStage, FaceStage), sound=TranscriptStage
    ),
    why_not=why_not,
)
RECLUSTER = Work(kind="recluster", run=recluster, why_not=why_not_recluster, models=())
EXPORT = Work(kind="export", run=export_clip, why_not=why_not_export, models=())
_WORK: dict[str, Work] = {work.kind: work for work in (ANALYSIS, RECLUSTER, EXPORT)}
_OPEN_FILES = 4096  # macOS starts processes with no more
_OPEN_FILES_AN_ITEM = 768  # of 64 stills with faces, while they are published


def new_worker(kind: str, settings: Settings) -> Worker | QueryService:
    """A worker of this kind, which is yet to serve."""
    allow_open_files(decode_threads(settings))
    return QueryService(settings) if kind == "query" else Worker(settings, _WORK[kind])


def allow_open_files(items: int = 1) -> None:
    """Raise the limit of open files to what work needs, as far as the system lets a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(_OPEN_FILES, items * _OPEN_FILES_AN_ITEM)
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
