"""The cut of one clip, into a file that is there already under a temporary name.

What will be cut is planned before (workers/export/planning.py): that reads little and writes
nothing, so that the file can be named and the disk looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from shared.exports.clips import ClipCode
from shared.media import MediaType, media_type_of
from shared.opening import OpenedFile
from shared.process import traces
from workers.export.copying import CopiedPictures, end_at
from workers.export.merging import (
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
    """Write a clip to `path`. Raises ClipFailed, and OSError where the disk refuses it.

    What `checkpoint` raises goes through.

    `report` is given the share that is done, 0 to 1.
    """
    _refuse_source(file, path)
    if media_type_of(planned.spec.media_path) is MediaType.IMAGE:
        written = _cut_still(planned, file, path, checkpoint, report)
    else:
        written = _cut_streams(planned, file, path, checkpoint, report)
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


def _cut_streams(
    planned: ClipPlan,
    file: OpenedFile,
    path: str,
    checkpoint: Callable[[], None],
    report: Callable[[float], None],
) -> WrittenClip:
    damage = Damage()
    parts: list[Iterator[Timed]] = []
    video: CopiedPictures | PictureTrack | None = None
    sound = None
    with (
        open_source(file, planned.spec.audio) as pictures,
        open_source(file, planned.spec.audio) as sounds,
        ClipFile(path, planned.form, container_tags(pictures), pictures.ticks) as out,
    ):
        if pictures.video is not None:
            if planned.method == "copy":
                video = CopiedPictures(out, planned, pictures, damage)
            else:
                shots = decoded(pictures, planned, damage, checkpoint)
                video = PictureTrack(out, planned, shots, pictures)
            parts.append(with_ending(video.packets(), video.length))
        if sounds.sounds:
            sound = SoundTracks(out, planned, sounds, damage)
            parts.append(sound.packets())
        write_merged(out, parts, planned.end - planned.start, checkpoint, report)
    if planned.method == "copy" and planned.form.has_edit_list:
        ends_there = end_at(path, planned.end - planned.start)
        if ends_there and isinstance(video, CopiedPictures):
            video.hide_the_rest()
    warnings = (*(sound.warnings if sound else ()), *told(damage))
    if video is not None:
        return video.outcome(warnings)
    return WrittenClip(planned.start, sound.end if sound else planned.end, None, warnings)


def _cut_still(
    planned: ClipPlan,
    file: OpenedFile,
    path: str,
    checkpoint: Callable[[], None],
    report: Callable[[float], None],
) -> WrittenClip:
    with ClipFile(path, planned.form, {}, 1000) as out:
        track = PictureTrack(out, planned, held_still(file, planned), None)
        write_merged(out, [track.packets()], planned.end - planned.start, checkpoint, report)
    return WrittenClip(planned.start, planned.end, track.frames, ())
