"""The Item of an export Task: one clip, from its spec to a file that has its name.

A clip that fails by its own fault, or by that of the folder it goes to, is done all the same: its
result says why, and nobody tries it again. Any other error is left to the worker, which does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import msgspec

from shared.clock_times import clock, milliseconds
from shared.domain import ProgressType
from shared.errors import (
    BadInput,
    ExportError,
    MediaError,
    MediaMissing,
    MediaUnreadable,
    NotAllowed,
    RushesError,
)
from shared.exports.clips import ClipCode, ClipResult, ClipSpec
from shared.exports.names import clip_name, file_name, in_a_name
from shared.exports.writing import (
    FULL,
    NameTaken,
    NameUnusable,
    PartFile,
    free_number,
    is_taken,
    output_folder,
    part_file,
    remove_left_behind,
)
from shared.media import open_media_file
from shared.opening import OpenedFile, OpenedFolder
from shared.paths import Roots
from shared.process import traces
from workers.context import Context
from workers.export import cutting, planning
from workers.export.output import ClipFailed
from workers.export.planning import ClipPlan
from workers.media.budget import ALWAYS_SEEN_S, overrun, work_limit_s
from workers.presence.left_items import NotHere, may_be_elsewhere, unseen_root

_FIELD = "output_dir"
_ALMOST = 0.99  # a clip counts as done when it has its name


def export_clip(context: Context) -> None:
    """Do an Item: cut its clip and say what became of it."""
    spec = context.spec(ClipSpec)
    error: RushesError | None = None
    try:
        result = _Export(context, spec).run()
    except ClipFailed as failure:
        for path in _needed(spec):
            context.judge(path, failure)
        if failure.code is ClipCode.INTERNAL:
            raise  # it is tried again, as any error of ours
        message = failure.message.replace(spec.media_path, spec.client_path)
        message = message.replace(spec.output_dir, spec.client_output_dir)
        error = _blamed(failure.code, message)
        result = ClipResult(
            index=spec.index, media_path=spec.client_path, error=message, code=failure.code
        )
        context.reason = f"No clip was exported. {spec.client_path}: {message}"
    context.progress.file_ended(ProgressType.EXPORT, 0, spec.client_path, error)
    context.result = msgspec.json.encode(result)


def why_not(context: Context) -> NotHere | None:
    """Why the Item should be left to another machine; None: do it here, for better or worse."""
    spec = context.spec(ClipSpec)
    settings = context.bench.settings
    return (
        unseen_root(Roots.media(settings), [] if spec.refused else [spec.media_path])
        or unseen_root(Roots.export(settings), [spec.output_dir])
        or context.folders.look(_needed(spec))
        or may_be_elsewhere(
            context.bench.client, settings.instance, "export", context.lease, _needed(spec)
        )
    )


def _needed(spec: ClipSpec) -> list[str]:
    return [spec.output_dir] if spec.refused else [spec.media_path, spec.output_dir]


class _Export:
    """One try of one clip. What it raises is ClipFailed, or an error of ours."""

    def __init__(self, context: Context, spec: ClipSpec) -> None:
        self._context = context
        self._spec = spec
        self._roots = Roots.export(context.bench.settings).within(spec.roots)
        self._media_roots = Roots.media(context.bench.settings).within(spec.roots)

    def run(self) -> ClipResult:
        with self._source() as source:
            try:
                return self._made(source)
            except MediaUnreadable as error:
                raise ClipFailed(ClipCode.UNREADABLE, error.message) from error

    def _made(self, source: OpenedFile) -> ClipResult:
        context, spec = self._context, self._spec
        context.checkpoint()
        context.come_to(0, "the source", 0)
        with context.stall.wide():  # it has no checkpoints, and may have to read far
            plan = planning.plan(spec, source)
        if why := overrun(float(plan.end), source.status.st_size, ALWAYS_SEEN_S):
            raise ClipFailed(ClipCode.UNREADABLE, why)
        context.come_to(0, "the clip", float(plan.start))
        name = self._name(plan)
        with (
            context.limited(work_limit_s(source.status, float(plan.end))),
            _errors_of_the_folder(),
            output_folder(spec.output_dir, self._roots, _FIELD) as folder,
        ):
            if spec.on_exists != "number" and is_taken(folder, name):
                return self._taken(name, plan)
            if spec.dry_run:
                return self._planned(free_number(folder, name), plan)
            _check_space(folder, plan)
            return self._written(folder, name, plan, source)

    def _source(self) -> OpenedFile:
        """The source, opened once for all that is read of it."""
        if self._spec.refused:
            raise ClipFailed(ClipCode.MISSING_MEDIA, self._spec.refused)
        try:
            return open_media_file(self._spec.media_path, self._media_roots)
        except NotAllowed as error:
            raise ClipFailed(ClipCode.NOT_ALLOWED, error.message) from error
        except MediaMissing as error:
            raise ClipFailed(ClipCode.MISSING_MEDIA, error.message) from error
        except MediaError as error:
            raise ClipFailed(ClipCode.UNREADABLE, error.message) from error

    def _name(self, plan: ClipPlan) -> str:
        spec = self._spec
        if spec.name:
            return file_name(spec.name, plan.extension)
        stem = os.path.splitext(os.path.basename(spec.media_path))[0]
        values = {
            "stem": stem,
            "in_tc": in_a_name(plan.start_timecode or _time(plan.start)),
            "out_tc": in_a_name(plan.end_timecode or _time(plan.end)),
            "index": f"{spec.index + 1:03d}",
        }
        return file_name(clip_name(spec.naming, values), plan.extension)

    def _written(
        self, folder: OpenedFolder, wanted: str, plan: ClipPlan, source: OpenedFile
    ) -> ClipResult:
        context = self._context
        try:
            with part_file(folder, wanted, _FIELD, context.lease.writer) as part:
                if context.lease.item_id == 0 or context.lease.token > 1:
                    remove_left_behind(part, context.bench.ledger.is_over)
                clip = cutting.cut(plan, source, part.path, context.checkpoint, self._report)
                name = self._place(part)
        except NameTaken:
            return self._taken(wanted, plan)
        return msgspec.structs.replace(
            self._planned(name, plan),
            start_seconds=float(clip.start),
            end_seconds=float(clip.end),
            frames=clip.frames,
            warnings=(*self._renamed(name), *clip.warnings),
        )

    @traces.stage("publish")
    def _place(self, part: PartFile) -> str:
        """Put the clip in its place; its name. Looks at the lease after all that takes long."""
        with self._context.stall.wide():
            part.sync()
            self._context.confirm()
            return part.place(may_number=self._spec.on_exists == "number")

    def _report(self, share: float) -> None:
        self._context.progress.report(
            ProgressType.EXPORT, min(max(share, 0.0), _ALMOST), self._spec.client_path
        )

    def _renamed(self, name: str) -> tuple[str, ...]:
        """A warning where the clip could not have the name that was asked for to the letter."""
        asked = self._spec.name
        if not asked or name.startswith(asked):
            return ()
        return (f"Called {name}: a file name cannot be {asked!r} everywhere.",)

    def _taken(self, name: str, plan: ClipPlan) -> ClipResult:
        if self._spec.on_exists == "error":
            raise ClipFailed(ClipCode.EXISTS, f"{name} is there already in output_dir.")
        return msgspec.structs.replace(
            self._planned(name, plan),
            method=None,
            skipped=True,
            warnings=(f"{name} was there already and was left as it is.",),
        )

    def _planned(self, name: str, plan: ClipPlan) -> ClipResult:
        folder = self._spec.client_output_dir
        separator = "\\" if "\\" in folder or folder.endswith(":") else "/"
        return ClipResult(
            index=self._spec.index,
            media_path=self._spec.client_path,
            output_path=folder.rstrip(separator) + separator + name,
            start_seconds=float(plan.start),
            end_seconds=float(plan.end),
            method=plan.method,
            start_timecode=plan.start_timecode,
            warnings=(*self._renamed(name), *plan.warnings),
        )


def _check_space(folder: OpenedFolder, plan: ClipPlan) -> None:
    """Raise ClipFailed where the clip would not fit; other clips may take the room meanwhile."""
    disk = os.fstatvfs(folder.fd)
    free = disk.f_bavail * disk.f_frsize
    if plan.estimated_bytes > free:
        raise ClipFailed(
            ClipCode.DISK_FULL,
            f"The clip needs about {_megabytes(plan.estimated_bytes)}, and the disk that holds "
            f"output_dir has {_megabytes(free)} left. Free some space and try again.",
        )


@contextmanager
def _errors_of_the_folder() -> Iterator[None]:
    """Raise errors of the output folder or of the name as ClipFailed."""
    try:
        yield
    except ClipFailed:
        raise
    except NotAllowed as error:  # which says nothing of the source
        raise ClipFailed(ClipCode.NOT_ALLOWED, error.message) from None
    except NameUnusable as error:
        raise ClipFailed(ClipCode.EXISTS, error.message) from error
    except BadInput as error:
        raise ClipFailed(ClipCode.NOT_WRITABLE, error.message) from error
    except ExportError as error:
        cause = error.__cause__
        is_full = isinstance(cause, OSError) and cause.errno in FULL
        code = ClipCode.DISK_FULL if is_full else ClipCode.NOT_WRITABLE
        raise ClipFailed(code, error.message) from error


def _blamed(code: ClipCode, message: str) -> RushesError:
    """A failure as the ledger tells faults apart: of the media file, or of something else."""
    if code is ClipCode.MISSING_MEDIA:
        return MediaMissing(message)
    if code in (ClipCode.UNREADABLE, ClipCode.BAD_RANGE, ClipCode.NOT_COPYABLE):
        return MediaUnreadable(message)
    return ExportError(message)


def _time(seconds: Fraction) -> str:
    return clock(milliseconds(float(seconds)))


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
