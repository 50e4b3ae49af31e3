"""Request bodies about what was said; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from api.http.bodies import CacheDir, Keyed, MediaPaths


class TranscriptionsBody(Keyed, kw_only=True):
    """Files whose transcripts are asked for."""

    cache_dir: CacheDir
    media_paths: MediaPaths
    words: bool = False
    """Add the words of each segment, with times."""
    doubtful: bool = False
    """Add the words, each with a fifth entry: whether it is doubtful, that is wrong more often than
    others. False in files that were transcribed before there were such marks."""
    speakers: bool = False
    """Add who says each segment, by label and by name, and who speaks at all; segments break where
    another one speaks. Files whose speakers were not told apart have no `speakers`."""
    captions: bool = False
    """Add the subtitles and captions that are in the file itself. They are read when its speech is
    analyzed, of a film without sound too. One answer has room for 64 MB of them: `caption_warnings`
    says of which files they are left out."""
    warnings: bool = False
    """Add the spans whose text was refused or decoded again."""
