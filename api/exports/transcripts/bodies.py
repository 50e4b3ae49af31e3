"""Body of /export/transcript; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw

from api.exports.bodies import CreateDir
from api.exports.transcripts.document import LONGEST_SPOKEN, MOST_WORDS, CaptionsBody
from api.exports.transcripts.formats import FORMATS
from api.http.bodies import LONGEST_TEXT, LONGEST_WORD, AbsolutePath, Keyed, Word
from shared.cache.transcripts import LONGEST_S
from shared.exports.clips import OutputOnExists

_MOST_SEGMENTS = 200_000
_SECONDS = {"type": "number", "minimum": 0, "maximum": LONGEST_S}
_TEXT = {"type": "string", "maxLength": LONGEST_SPOKEN}
_WORD = {
    "type": "array",
    "description": "[start, end, text, probability, doubtful], the last two may be missing.",
    "items": {"anyOf": [_SECONDS, _TEXT, {"type": "boolean"}]},
    "minItems": 3,
    "maxItems": 5,
}
_WORDS = {"type": "array", "nullable": True, "items": _WORD, "maxItems": MOST_WORDS}
_SPEAKER = {**_TEXT, "nullable": True}
_SEGMENT = {
    "anyOf": [
        {
            "type": "array",
            "description": "[start, text, end], times in seconds.",
            "items": {"anyOf": [_SECONDS, _TEXT]},
            "minItems": 3,
            "maxItems": 3,
        },
        {
            "type": "object",
            "required": ["start", "text", "end"],
            "properties": {
                "start": _SECONDS,
                "end": _SECONDS,
                "text": _TEXT,
                "speaker": _SPEAKER,
                "words": _WORDS,
            },
        },
    ]
}

_Speakers = Annotated[
    list[Annotated[Raw, Meta(extra_json_schema=_SPEAKER)]],
    Meta(max_length=_MOST_SEGMENTS, examples=[["Ada"]]),
]


class ExportTranscriptBody(Keyed, kw_only=True):
    """A transcript and the file to make of it."""

    segments: Annotated[
        list[Annotated[Raw, Meta(extra_json_schema=_SEGMENT)]],
        Meta(max_length=_MOST_SEGMENTS, examples=[[[0.42, "We are rolling.", 1.9]]]),
    ]
    """[start, text, end] in seconds, as /transcriptions gives them, or objects with start, end,
    text and perhaps speaker and words. May be empty."""
    format: Annotated[
        str,
        Meta(
            max_length=LONGEST_WORD,
            description=f"{', '.join(FORMATS)}; in any case.",
            examples=["docx"],
        ),
    ]
    display_name: Annotated[str, Meta(max_length=LONGEST_TEXT, examples=["Interview with Ada"])] = (
        "Transcript"
    )
    """Title, and name of the file."""
    output_path: (
        Annotated[AbsolutePath, Meta(examples=["/footage/exports/interview.docx"])] | None
    ) = None
    """Absolute path of a file, or a folder, to write to on the server, in RUSHES_EXPORT_ROOTS. The
    format's extension is added where there is none; what becomes of an existing file, `on_exists`
    says. Left out: the answer is the file itself."""
    on_exists: Annotated[OutputOnExists, Meta(title="OutputOnExists")] = "number"
    """Where output_path is there: "number" the new file, "replace" that one in one step, or
    "refuse" with a 400."""
    create_dir: CreateDir = False
    words: (
        Annotated[
            list[Annotated[Raw, Meta(extra_json_schema=_WORDS)]],
            Meta(max_length=_MOST_SEGMENTS, examples=[[[[0.42, 0.6, "We", 0.99]]]]),
        ]
        | None
    ) = None
    """The words of each segment, as /transcriptions gives them."""
    speakers: _Speakers | None = None
    """The speaker of each segment, or null."""
    speaker_names: _Speakers | None = None
    """What the speaker of each segment is called, which is shown in place of `speakers`; null: that
    has no name."""
    with_speakers: bool = True
    """Say who speaks in txt and srt, where that is known. The other formats have a place of their
    own for it and always do."""
    timestamps: bool = True
    """Show the times of each segment in txt, docx and pdf."""
    fps: Annotated[float | Word, Meta(examples=["24000/1001"])] | None = None
    """Frame rate, such as 25, 29.97 or 24000/1001. With it, csv and json gain timecodes, and txt,
    docx and pdf show them instead of milliseconds."""
    start_timecode: Annotated[Word, Meta(examples=["01:00:00:00"])] | None = None
    """Timecode at which the file begins: HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame. Needs fps.
    Left out: 00:00:00:00."""
    language: Annotated[Word, Meta(examples=["english"])] | None = None
    """English name or ISO code; chooses fonts and where captions break."""
    captions: Annotated[CaptionsBody | None, Meta(examples=[{"max_chars": 42, "max_lines": 2}])] = (
        None
    )
    """Cut srt and vtt into captions that can be read; {} for the usual rules. Left out: one cue a
    segment."""
    formula_guard: bool = True
    """Put a ' before text in csv that a spreadsheet would take for a formula, such as "=1+1" or "-
    Yes.\""""
