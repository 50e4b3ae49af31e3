"""Probe of a file: what it says about itself, for `/media/metadata`. Runs in child processes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from shared.domain import Probe
from shared.errors import MediaUnreadable
from shared.media import MediaType, media_type_of, open_media_file
from shared.paths import Roots
from shared.query.messages import Probed
from workers.media.budget import check_format
from workers.media.probing.probe import probe


def probe_file(roots: Roots, path: str) -> Probed:
    """Return the facts that the container of a media file states, with warnings."""
    with open_media_file(path, roots) as file:
        check_format(path)
        media_type = media_type_of(path)
        if media_type is None:
            raise MediaUnreadable("Its name does not say that it is media.")
        found = probe(file, media_type)
    facts = msgspec.structs.asdict(found)
    return Probed(**{**facts, "warnings": tuple(_warnings(found))})


def _warnings(found: Probe) -> Iterator[str]:
    if found.is_vfr:
        yield "The pictures do not come evenly (VFR); fps is the rate that they are built on."
    if len(found.video_streams) > 1:
        yield (
            f"It holds {len(found.video_streams)} video tracks; the facts are those of the first "
            "in video_streams."
        )
    if found.video_codec and found.rotation is None and found.media_type is not MediaType.IMAGE:
        yield "No picture at its beginning can be decoded: rotation and display size are unknown."
    if found.start_timecode and found.timecode is None:
        yield "Nothing states the rate of the timecode."
    elif found.timecode and found.timecode.rate_source == "derived" and (found.fps or 0) > 31:
        yield "Nothing states what the timecode counts; its rate is taken from the pictures."
