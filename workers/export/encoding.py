"""Clips by encoding: exactly the pictures and samples of the range, with the source's colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction

from shared.media import MediaType, media_type_of
from shared.opening import OpenedFile
from workers.export.merging import ClipProgress, Timed, WrittenClip, told, with_ending, write_merged
from workers.export.output import ClipFile
from workers.export.pictures.decoding import Shot, decoded
from workers.export.pictures.encoding import PictureTrack
from workers.export.pictures.stills import RATE, still_frame
from workers.export.planning import ClipPlan
from workers.export.reading import Damage
from workers.export.sound.encoding import SoundTracks
from workers.export.source import open_source
from workers.export.tags import container_tags


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
        track = PictureTrack(out, planned, _held(file, planned), None)
        write_merged(out, [track.packets()], planned.end - planned.start, progress)
    return WrittenClip(planned.start, planned.end, track.frames, ())


def _held(file: OpenedFile, planned: ClipPlan) -> Iterator[Shot]:
    frame = still_frame(file)
    for number in range(planned.range.past):
        yield Fraction(number) / RATE, frame
