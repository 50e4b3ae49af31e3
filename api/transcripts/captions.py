"""Subtitles and captions that lie in a file, beside what was heard in it."""

from __future__ import annotations

import threading

import msgspec

from api.transcripts.answers import Transcription, TranscriptionCaptions
from shared.cache import cache_files, captions
from shared.cache.cache_dir import CacheDir
from shared.cache.captions import CaptionTrack
from shared.errors import CacheError

MOST_BYTES = 64 << 20  # of one answer: hundreds of films
_NO_ROOM = (
    "They are left out: one answer has room for 64 MB of captions. Ask for this file in another "
    "request."
)


class RoomInAnswer:
    """How much of one answer captions may fill; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = MOST_BYTES

    @property
    def is_full(self) -> bool:
        with self._lock:
            return self._left < 0

    def take(self, size: int) -> bool:
        """Whether so many bytes have room; once some had none, nothing has."""
        with self._lock:
            self._left = self._left - size if size <= self._left else -1
            return self._left >= 0


def add_captions(answer: Transcription, cache: CacheDir, hash_str: str, room: RoomInAnswer) -> None:
    """Add the tracks, where they were looked for. Raises CacheError where they cannot be read."""
    with cache_files.clear_errors(cache.root):
        manifest = captions.find(cache, hash_str)
    if manifest is None:
        return
    if room.is_full and manifest.rows:
        answer.caption_warnings = [_NO_ROOM]
        return
    try:
        found = captions.read(cache, hash_str, manifest)
    except CacheError as error:
        raise CacheError(f"{error.message} {captions.CURE}") from error
    tracks = [_track(track) for track in found.tracks]
    if tracks and not room.take(len(msgspec.json.encode(tracks))):
        answer.caption_warnings = [_NO_ROOM]
        return
    answer.captions = tracks
    answer.caption_warnings = list(manifest.warnings) or None


def _track(track: CaptionTrack) -> TranscriptionCaptions:
    return TranscriptionCaptions(
        kind=track.kind,
        language=track.language,
        title=track.title,
        service=track.service,
        segments=[(segment.start, segment.text, segment.end) for segment in track.segments],
    )
