"""Request bodies about what was said; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.bodies import CacheDir, Keyed, MediaPaths


class TranscriptionsBody(Keyed, kw_only=True):
    """Files whose transcripts are asked for."""

    cache_dir: CacheDir
    media_paths: MediaPaths
    words: Annotated[bool, Meta(description="Add the words of each segment, with times.")] = False
    doubtful: Annotated[
        bool,
        Meta(
            description="Add the words, each with a fifth entry: whether it is doubtful, that is "
            "wrong more often than others. False in files that were transcribed before there were "
            "such marks."
        ),
    ] = False
    speakers: Annotated[
        bool,
        Meta(
            description="Add who says each segment, by label and by name, and who speaks at all; "
            "segments break where another one speaks. Files whose speakers were not told apart "
            "have no `speakers`."
        ),
    ] = False
    captions: Annotated[
        bool,
        Meta(
            description="Add the subtitles and captions that are in the file itself. They are read "
            "when its speech is analyzed, of a film without sound too. One answer has room for 64 "
            "MB of them: `caption_warnings` says of which files they are left out."
        ),
    ] = False
    warnings: Annotated[
        bool, Meta(description="Add the spans whose text was refused or decoded again.")
    ] = False
