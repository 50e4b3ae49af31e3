"""The cut of one clip, into a file that is there already under a temporary name.

What will be cut is planned before (workers/export/planning.py): that reads little and writes
nothing, so that the file can be named and the disk looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

from shared.exports.clips import ClipCode
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
from workers.export.planning import ClipPlan
from workers.export.reading import Damage
from workers.export.sound_track import SoundTracks
from workers.export.source import open_source


@traces.stage("cut")
def cut(
    planned: ClipPlan,
    file: OpenedFile,
    path: str,
    checkpoint: Callable[[], None],
    report: Callable[[float], None],
) -> WrittenClip:
    """Write a clip to `path`. Raises ClipFailed; what `checkpoint` raises goes through.

    `report` is given the share that is done, 0 to 1.
    """
    _refuse_source(file, path)
    write = copy if planned.method == "copy" else encode
    written = write(planned, file, path, ClipProgress(checkpoint, report))
    report(1.0)
    return replace(written, warnings=planned.warnings + written.warnings)


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
