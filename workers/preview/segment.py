"""A segment of a preview as a whole MP4 file of one fragment. Runs in child processes."""

from __future__ import annotations

import io
from fractions import Fraction

import av

from shared.media import open_media_file
from shared.paths import Roots
from shared.query.messages import MakePreview
from workers.media.containers import reading_errors
from workers.preview.pictures import PreviewPictures
from workers.preview.sound import PreviewSound

# One fragment, written at the end; its times are those of its packets, without an edit list.
_OPTIONS = {
    "movflags": "empty_moov+default_base_moof+frag_custom+frag_discont+skip_trailer",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}


def make_segment(roots: Roots, asked: MakePreview) -> bytes:
    """The segment that is asked for. Raises NotAllowed and MediaError."""
    begins, length = asked.begins, Fraction(asked.ends) - asked.begins
    written = io.BytesIO()
    with (
        open_media_file(asked.path, roots) as file,
        reading_errors(),
        av.open(written, "w", format="mp4", options=_OPTIONS) as out,
    ):
        tracks: list[PreviewPictures | PreviewSound] = []
        if asked.has_picture:
            tracks.append(PreviewPictures(out, file, begins, length))
        if asked.has_sound:
            tracks.append(PreviewSound(out, file, begins, begins + length))
        packets = [packet for track in tracks for packet in track.packets()]
        packets.sort(key=lambda packet: (packet.dts or 0) * packet.time_base)
        for packet in packets:
            out.mux_one(packet)
    return written.getvalue()
