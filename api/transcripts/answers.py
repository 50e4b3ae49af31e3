"""What /transcriptions is asked for, and what it answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from api.http.answers import ClientPath, HashStr, KindOfCaptions, Problem
from api.http.bodies import CacheDir, Keyed, MediaPaths
from shared.cache.transcripts import TranscriptWarning, Word


class TranscriptWord(Word, frozen=True, array_like=True):
    """`[start, end, text, probability]`, and with `doubtful` whether it is likely to be wrong."""

    doubtful: bool = False


class TranscriptVoice(Struct, kw_only=True):
    """Somebody who speaks in a file."""

    speaker: Annotated[str, Meta(examples=["S1"])]
    """The label, by first appearance in the file."""
    name: Annotated[str, Meta(examples=["Ada"])] | None
    """What the person is called; null: unnamed."""
    cluster_id: Annotated[str, Meta(examples=["418350733"])] | None
    """Who it is, as /faces/clusters gives it with `voices`; null: the voice is in no collection."""
    cluster_job_name: Annotated[str, Meta(examples=["Season 1"])] | None
    """The collection: of several, one that has a name for the voice."""
    seconds: Annotated[float, Meta(ge=0, examples=[41.5])]
    """How long they speak."""


class TranscriptionCaptions(Struct, kw_only=True):
    """Words of one language that are in the file itself."""

    kind: KindOfCaptions
    language: Annotated[str, Meta(examples=["deu"])] | None
    """As the file names it; null: it does not."""
    title: Annotated[str, Meta(examples=["Signs (forced)"])] | None
    """As the file names it; `(forced)` is added to the title of what every viewer is shown. Null:
    it has none."""
    service: Annotated[str, Meta(examples=["CC1"])] | None
    """CC1 to CC4, of CEA-608; null of others."""
    segments: Annotated[
        list[tuple[float, str, float]], Meta(examples=[[[0.4, "Wir drehen.", 2.0]]])
    ]
    """`[start_seconds, text, end_seconds]` by start, as those of a transcript; lines of one caption
    are joined."""


class Transcription(Struct, kw_only=True, omit_defaults=True):
    """What was said in one file. `segments` is null when it is not transcribed, `[]` when silent.

    `words`, `streams`, `warnings`, and `speakers` with what goes with it are left out where they
    were not asked for or do not apply.
    """

    media_path: ClientPath
    hash_str: HashStr | None
    language: Annotated[str, Meta(examples=["english"])] | None
    """Lower-case English name; null when not transcribed, or when nobody speaks and none was
    given."""
    segments: (
        Annotated[list[tuple[float, str, float]], Meta(examples=[[[0.42, "We are rolling.", 1.9]]])]
        | None
    )
    """`[start_seconds, text, end_seconds]` by start, on the container's clock; fit for
    /export/transcript as they are."""
    language_probability: Annotated[float, Meta(ge=0, le=1, examples=[0.98])] | None
    """How sure the detection was; null when the language was given."""
    model_key: Annotated[str, Meta(examples=["whisper-base"])] | None
    """Model that wrote it: the active one's transcript where there is one, else the newest."""
    error: Problem
    words: (
        Annotated[list[list[TranscriptWord]], Meta(examples=[[[[0.42, 0.6, "We", 0.99, False]]]])]
        | None
    ) = None
    """With `words`: for each segment its words as `[start_seconds, end_seconds, text,
    probability]`; with `doubtful` as `[start_seconds, end_seconds, text, probability,
    doubtful]`."""
    streams: Annotated[list[int | None], Meta(examples=[[0]])] | None = None
    """For each segment its audio stream, in files transcribed with `audio_streams` "each"."""
    speakers: Annotated[list[str | None], Meta(examples=[["S1"]])] | None = None
    """With `speakers`: for each segment who says it, S1, S2 and so on by first appearance in the
    file; null where that is not known."""
    doubtful_speakers: Annotated[list[bool], Meta(examples=[[False]])] | None = None
    """With `speakers`: for each segment whether it may be somebody else's: it is short, or two are
    as likely, or speak at once."""
    speaker_names: Annotated[list[str | None], Meta(examples=[["Ada"]])] | None = None
    """With `speakers`: for each segment what the person who says it is called, in any collection;
    null where that has no name."""
    voices: list[TranscriptVoice] | None = None
    """With `speakers`: who speaks in the file, by label."""
    captions: list[TranscriptionCaptions] | None = None
    """With `captions`: subtitles and captions of the file itself, also where `segments` is null.
    Left out where nobody has looked for them yet, and where the answer has no room for them."""
    caption_warnings: (
        Annotated[list[str], Meta(examples=[["Subtitles of track 2 that could not be read: 1."]])]
        | None
    ) = None
    """With `captions`: what of them could not be read, or had no room."""
    speaker_warnings: (
        Annotated[
            list[str],
            Meta(
                examples=[
                    ["Somebody speaks for 0.4 s in all: too little to tell how many there are."]
                ]
            ),
        ]
        | None
    ) = None
    """With `speakers`: why those of the whole file are in doubt; left out where they are not."""
    warnings: list[TranscriptWarning] | None = None
    """With `warnings`: spans whose text was doubted."""


class Transcriptions(Struct, kw_only=True):
    """In request order."""

    transcriptions: list[Transcription]
    """One slot per path."""


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
