"""The cut of one clip, into a file that is there already under a temporary name.

What will be cut is planned before (workers/export/planning.py): that reads little and writes
nothing, so that the file can be named and the disk looked at.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

from shared.exports.clips import ClipCode
from shared.media import MediaType, media_type_of
from shared.opening import OpenedFile
from shared.process import traces
from workers.export.copying import CopiedPictures, end_at
from workers.export.output import ClipFailed, ClipFile, Timed, WrittenClip
from workers.export.picture_track import PictureTrack, decoded, held_still
from workers.export.planning import ClipPlan
from workers.export.reading import Damage
from workers.export.sound_track import SoundTracks
from workers.export.source import ClipSource, open_source

_SILENCE_S = Fraction(1, 10)
_CONTAINERS_OWN = frozenset(
    (
        "major_brand", "minor_version", "compatible_brands", "encoder", "timecode", "duration",
        "operational_pattern_ul", "uid", "generation_uid", "company_name", "product_name",
        "product_version_num", "product_version", "application_platform", "product_uid",
        "toolkit_version_num", "toolkit_version", "material_package_umid", "file_package_umid",
        "modification_date",
    )
)  # fmt: skip


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
        ClipFile(path, planned.form, _container_tags(pictures), pictures.ticks) as out,
    ):
        if pictures.video is not None:
            if planned.method == "copy":
                video = CopiedPictures(out, planned, pictures, damage)
            else:
                shots = decoded(pictures, planned, damage, checkpoint)
                video = PictureTrack(out, planned, shots, pictures)
            parts.append(_with_ending(video.packets(), video.length))
        if sounds.sounds:
            sound = SoundTracks(out, planned, sounds, damage)
            parts.append(sound.packets())
        _write_merged(out, parts, planned.end - planned.start, checkpoint, report)
    if planned.method == "copy" and planned.form.has_edit_list:
        ends_there = end_at(path, planned.end - planned.start)
        if ends_there and isinstance(video, CopiedPictures):
            video.hide_the_rest()
    warnings = (*(sound.warnings if sound else ()), *_told(damage))
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
        _write_merged(out, [track.packets()], planned.end - planned.start, checkpoint, report)
    return WrittenClip(planned.start, planned.end, track.frames, ())


def _container_tags(source: ClipSource) -> dict[str, str]:
    """What the container says of its content; not what it says of itself."""
    return {k: v for k, v in source.container.metadata.items() if k.lower() not in _CONTAINERS_OWN}


def _write_merged(
    out: ClipFile,
    parts: list[Iterator[Timed]],
    length: Fraction,
    checkpoint: Callable[[], None],
    report: Callable[[float], None],
) -> None:
    """Write packets of all parts in the order of decoding times. Raises ClipFailed for none."""
    seconds = None
    for seconds, packet in heapq.merge(*parts, key=lambda timed: timed[0]):
        checkpoint()
        out.mux(packet)
        if length:
            report(min(1.0, max(0.0, float(seconds / length))))
    if seconds is None:  # less than a sample was asked for, or than a packet that is copied whole
        raise ClipFailed(ClipCode.BAD_RANGE, "The range is too short: no sound lies in it.")


def _with_ending(packets: Iterator[Timed], end: Callable[[], Fraction]) -> Iterator[Timed]:
    """Packets of which the last one lasts until the clip's end, in seconds of the clip.

    MP4 counts a stream's length in decoding times, which with uneven pictures end too early.
    """
    first: tuple[Fraction, Fraction] | None = None
    held: Timed | None = None
    for timed in packets:
        if held is not None:
            yield held
        held = timed
        if first is None and timed[1].pts is not None:
            first = timed[0], timed[1].pts * timed[1].time_base
    if held is None:
        return
    seconds, packet = held
    if first is not None:
        rest = round((end() - first[1] - (seconds - first[0])) / packet.time_base)
        if rest > 0:
            packet.duration = rest
    yield held


def _told(damage: Damage) -> tuple[str, ...]:
    """Warnings about the damage that was met while reading."""
    warnings = []
    if damage.broke_off:
        warnings.append(f"The source is damaged and ends early: {damage.broke_off}.")
    if damage.hole:
        warnings.append(
            f"No picture begins for {float(damage.hole):.2f} s; the source may be damaged."
        )
    if damage.silence > _SILENCE_S:
        warnings.append(f"{float(damage.silence):.2f} s of sound are missing in the source.")
    if damage.patched:
        warnings.append(f"The source is damaged: {damage.patched} pictures are incomplete.")
    if damage.refused:
        warnings.append(
            f"The source is damaged: {damage.refused} packets in this range could not be decoded."
        )
    elif damage.corrupt:
        warnings.append(f"The source is damaged: {damage.corrupt} packets are incomplete.")
    return tuple(warnings)
