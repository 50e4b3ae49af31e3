"""Subtitles and captions that lie in a file, beside what was heard in it."""

from __future__ import annotations

from api.transcripts.answers import Transcription, TranscriptionCaptions
from shared.cache import cache_files, captions
from shared.cache.cache_dir import CacheDir
from shared.errors import CacheError


def add_captions(answer: Transcription, cache: CacheDir, hash_str: str) -> None:
    """Add the tracks, where they were looked for. Raises CacheError where they cannot be read."""
    with cache_files.clear_errors(cache.root):
        manifest = captions.find(cache, hash_str)
    if manifest is None:
        return
    try:
        found = captions.read(cache, hash_str, manifest)
    except CacheError as error:
        raise CacheError(f"{error.message} {captions.CURE}") from error
    answer.captions = [
        TranscriptionCaptions(
            kind=track.kind,
            language=track.language,
            title=track.title,
            service=track.service,
            segments=[(segment.start, segment.text, segment.end) for segment in track.segments],
        )
        for track in found.tracks
    ]
    answer.caption_warnings = list(manifest.warnings) or None
