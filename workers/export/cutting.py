"""The cut of one clip, into a file that is there already under a temporary name.

What will be cut is planned before (workers/export/planning.py): that reads little and writes
nothing, so that the file can be named and the disk looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple, Protocol

from shared.exports.clips import ClipCode, ClipSpec
from shared.media import MediaType, media_type_of
from shared.opening import OpenedFile
from shared.process import traces
from workers.export.copying import copy
from workers.export.merging import (
    ClipProgress,
    Timed,
    WrittenClip,
    container_tags,
    told,
    with_ending,
    write_merged,
)
from workers.export.output import ClipFailed, ClipFile
from workers.export.picture_track import PictureTrack, decoded, held_still
from workers.export.planning import ClipPlan, Method, plan
from workers.export.reading import Damage
from workers.export.sound.encoding import SoundTracks
from workers.export.source import open_source


class PartTarget(Protocol):
    """Target of a clip: an open file that `path` reaches (shared.exports.writing.PartFile)."""

    @property
    def path(self) -> str: ...


class Cut(NamedTuple):
    """A clip that was written. Seconds are presented time of the source, as exported."""

    start_seconds: float
    end_seconds: float
    frames: int | None  # None: sound alone
    method: Method
    start_timecode: str | None
    warnings: tuple[str, ...]
    extension: str


@traces.stage("cut")
def cut(
    spec: ClipSpec,
    file: OpenedFile,
    part: PartTarget,
    checkpoint: Callable[[], None],
    report: Callable[[float], None],
    planned: ClipPlan | None = None,
) -> Cut:
    """Write a clip to `part.path`. Raises ClipFailed; what `checkpoint` raises goes through.

    `report` is given the share that is done, 0 to 1. `planned`: what `plan` said of the same spec
    a moment ago, to spare the work.
    """
    _refuse_source(file, part.path)
    planned = planned or plan(spec, file)
    progress = ClipProgress(checkpoint, report)
    write = copy if planned.method == "copy" else encode
    outcome = write(planned, file, part.path, progress)
    report(1.0)
    return Cut(
        float(outcome.start),
        float(outcome.end),
        outcome.frames,
        planned.method,
        planned.start_timecode,
        planned.warnings + outcome.warnings,
        planned.extension,
    )


def _refuse_source(source: OpenedFile, target: str) -> None:
    """Raise ClipFailed where the target is the source, under whatever name it was given."""
    try:
        same = os.path.samestat(source.status, os.stat(target))
    except OSError:
        return
    if same:
        raise ClipFailed(ClipCode.NOT_ALLOWED, "The clip would overwrite its own source.")


def encode(planned: ClipPlan, file: OpenedFile, path: str, progress: ClipProgress) -> WrittenClip:
    """Write the clip to `path`. Raises ClipFailed."""
    if media_type_of(planned.spec.media_path) is MediaType.IMAGE:
        return _encode_still(planned, file, path, progress)
    spec = planned.spec
    with ExitStack() as stack:
        pictures = stack.enter_context(open_source(file, spec.audio))
        sounds = stack.enter_context(open_source(file, spec.audio))
        tags = container_tags(pictures)
        out = stack.enter_context(ClipFile(path, planned.form, tags, pictures.ticks))
        damage = Damage()
        parts: list[Iterator[Timed]] = []
        track = None
        if pictures.video is not None:
            shots = decoded(pictures, planned, damage, progress.checkpoint)
            track = PictureTrack(out, planned, shots, pictures)
            parts.append(with_ending(track.packets(), track.length))
        heard = None
        if sounds.sounds:
            heard = SoundTracks(out, planned, sounds, damage)
            parts.append(heard.packets())
        write_merged(out, parts, planned.end - planned.start, progress)
        warnings = (*(heard.warnings if heard is not None else ()), *told(damage))
    if track is None:
        end = heard.end if heard is not None else planned.end
        return WrittenClip(planned.start, end, None, warnings)
    return _outcome(planned, track, warnings)


def _outcome(planned: ClipPlan, track: PictureTrack, warnings: tuple[str, ...]) -> WrittenClip:
    end = planned.end
    if track.end < end - 2 / track.rate:
        warnings += (f"Only {track.frames} pictures could be read; the clip ends early.",)
        end = track.end
    return WrittenClip(planned.start, end, track.frames, track.warnings + warnings)


def _encode_still(
    planned: ClipPlan, file: OpenedFile, path: str, progress: ClipProgress
) -> WrittenClip:
    with ClipFile(path, planned.form, {}, 1000) as out:
        track = PictureTrack(out, planned, held_still(file, planned), None)
        write_merged(out, [track.packets()], planned.end - planned.start, progress)
    return WrittenClip(planned.start, planned.end, track.frames, ())
