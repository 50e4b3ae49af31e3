"""Segments and their words from the raw JSON of a request, with errors that name what to mend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from api.exports.cleaning import clean, one_line
from api.exports.transcripts.document import (
    LONGEST_SPOKEN,
    MOST_WORDS,
    ExportSegment,
    ExportWord,
)
from api.http.body_reading import explain
from shared.cache.transcripts import LONGEST_S
from shared.errors import BadInput

_FORMS = "[start, text, end] or an object with start, end and text"
_WORD_FORMS = "[start, end, text, probability] or an object with start, end and text"
_Seconds = Annotated[float, Meta(ge=0, le=LONGEST_S)]
_Spoken = Annotated[str, Meta(max_length=LONGEST_SPOKEN)]


class _Segment(Struct):
    start: _Seconds
    text: _Spoken
    end: _Seconds
    speaker: _Spoken | None = None
    words: Annotated[list[Any], Meta(max_length=MOST_WORDS)] | None = None


class _Word(Struct):
    start: _Seconds
    end: _Seconds
    text: _Spoken
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    doubtful: bool | None = None


_Timed = TypeVar("_Timed", _Segment, _Word)


def segments_of(
    raw: Sequence[Any],
    words: Sequence[Any] | None = None,
    speakers: Sequence[Any] | None = None,
    speaker_names: Sequence[Any] | None = None,
) -> tuple[ExportSegment, ...]:
    """Checked and cleaned, in the given order.

    `words`, `speakers` and their names stand beside the segments as /transcriptions gives them, one
    entry a segment; what a segment itself says goes first, and a name before a label. Raises
    BadInput, naming the entry.
    """
    beside_them = {"words": words, "speaker_names": speaker_names, "speakers": speakers}
    beside = {name: each for name, each in beside_them.items() if each is not None}
    for name, each in beside.items():
        if len(each) != len(raw):
            raise BadInput(
                f"{name} must have one entry for each of the {len(raw)} segments, not {len(each)}."
            )
    found = []
    for n, item in enumerate(raw):
        fields = _fields(item, ("start", "text", "end"), f"segments[{n}]", _FORMS)
        for name, each in beside.items():
            if each[n] is not None:
                fields.setdefault("words" if name == "words" else "speaker", each[n])
        found.append(_segment(fields, f"segments[{n}]"))
    return tuple(found)


def _fields(item: Any, order: tuple[str, ...], name: str, forms: str) -> dict[str, Any]:
    """Return the fields of an item, be it a list in that order or an object."""
    if isinstance(item, Mapping):
        return {**item}
    if not isinstance(item, list | tuple) or not 3 <= len(item) <= len(order):
        raise BadInput(f"{name} must be {forms}.")
    return dict(zip(order, item, strict=False))


def _segment(fields: dict[str, Any], name: str) -> ExportSegment:
    found = _typed(fields, _Segment, name, _FORMS)
    words = tuple(_word(item, f"{name}.words[{n}]") for n, item in enumerate(found.words or ()))
    speaker = one_line(found.speaker or "") or None
    return ExportSegment(found.start, found.end, clean(found.text), speaker, words)


def _word(item: Any, name: str) -> ExportWord:
    fields = _fields(item, _Word.__struct_fields__, name, _WORD_FORMS)
    found = _typed(fields, _Word, name, _WORD_FORMS)
    text, doubtful = clean(found.text), bool(found.doubtful)
    return ExportWord(found.start, found.end, text, found.probability, doubtful)


def _typed(fields: dict[str, Any], kind: type[_Timed], name: str, forms: str) -> _Timed:
    try:
        found = msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        said = str(error)
        hint = f" Give {forms}." if ", got " in said else ""  # perhaps in another order
        raise BadInput(f"{name}.{explain(said, kind)}{hint}") from None
    if found.end < found.start:
        raise BadInput(
            f"{name} ends at {found.end:g} s, before it starts at {found.start:g} s. Give {forms}."
        )
    found.start, found.end = found.start + 0.0, found.end + 0.0  # no minus before a zero
    return found
