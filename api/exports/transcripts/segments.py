"""Segments and their words from the raw JSON of a request, with errors that name what to mend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from api.exports.cleaning import clean, one_line
from api.exports.transcripts.document import ExportSegment, ExportWord
from shared.cache.transcripts import LONGEST_S
from shared.errors import BadInput

LONGEST_SPOKEN = 100_000  # characters of a segment, a word or a speaker
MOST_WORDS = 100_000  # of one segment
_HUGE = 1e300
_FORMS = "[start, text, end] or an object with start, end and text"
_WORD_FORMS = "[start, end, text, probability] or an object with start, end and text"


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
    beside_them = {"words": words, "speakers": speakers, "speaker_names": speaker_names}
    for name, beside in beside_them.items():
        if beside is not None and len(beside) != len(raw):
            raise BadInput(
                f"{name} must have one entry for each of the {len(raw)} segments, not "
                f"{len(beside)}."
            )
    found = []
    for n, item in enumerate(raw):
        fields = _fields(item, ("start", "text", "end"), f"segments[{n}]", _FORMS)
        if isinstance(fields["end"][0], str) and not isinstance(fields["text"][0], str):
            raise BadInput(f"segments[{n}]: the order is [start, text, end], text in the middle.")
        if words is not None and words[n] is not None:
            fields.setdefault("words", (words[n], f"words[{n}]"))
        for name, who in (("speaker_names", speaker_names), ("speakers", speakers)):
            if who is not None and who[n] is not None:
                fields.setdefault("speaker", (who[n], f"{name}[{n}]"))
        found.append(_segment(fields, f"segments[{n}]"))
    return tuple(found)


_Fields = dict[str, tuple[Any, str]]  # name -> (value, how to name it to a person)


def _fields(
    item: Any, order: tuple[str, ...], name: str, forms: str, optional: tuple[str, ...] = ()
) -> _Fields:
    """The fields of an item, be it a list in that order or an object."""
    if isinstance(item, Mapping):
        fields = {key: (value, f"{name}.{key}") for key, value in item.items()}
        for key in order:
            if key not in fields:
                raise BadInput(f"{name}.{key} is required. Give {forms}.")
        return fields
    if not isinstance(item, list | tuple):
        raise BadInput(f"{name} must be {forms}, not {_kind(item)}.")
    if not len(order) <= len(item) <= len(order) + len(optional):
        raise BadInput(f"{name} must be {forms}; it has {len(item)} entries.")
    return {
        key: (value, f"{name}[{n}]")
        for n, (key, value) in enumerate(zip((*order, *optional), item, strict=False))
    }


def _segment(fields: _Fields, name: str) -> ExportSegment:
    start, end = _span(fields, name)
    speaker = None
    if fields.get("speaker", (None,))[0] is not None:
        speaker = one_line(_text(*fields["speaker"])) or None
    raw_words, words_name = fields.get("words", (None, ""))
    if raw_words is None:
        raw_words = ()
    if not isinstance(raw_words, list | tuple):
        raise BadInput(f"{words_name} must be a list of words, not {_kind(raw_words)}.")
    if len(raw_words) > MOST_WORDS:
        raise BadInput(f"{words_name} may hold at most {MOST_WORDS:,} words; split the segment.")
    words = tuple(_word(item, f"{words_name}[{n}]") for n, item in enumerate(raw_words))
    return ExportSegment(start, end, clean(_text(*fields["text"])), speaker, words)


def _word(item: Any, name: str) -> ExportWord:
    fields = _fields(item, ("start", "end", "text"), name, _WORD_FORMS, ("probability", "doubtful"))
    start, end = _span(fields, name)
    probability, its_name = fields.get("probability", (None, ""))
    if probability is not None:
        probability = _number(probability, its_name, "a number from 0 to 1")
        if not 0 <= probability <= 1:
            raise BadInput(f"{its_name} must be a number from 0 to 1, not {probability}.")
    doubtful, its_name = fields.get("doubtful", (None, ""))
    if not isinstance(doubtful, bool | None):
        raise BadInput(f"{its_name} must be true or false, not {_kind(doubtful)}.")
    return ExportWord(start, end, clean(_text(*fields["text"])), probability, bool(doubtful))


def _span(fields: _Fields, name: str) -> tuple[float, float]:
    start, end = (_time(*fields[key]) for key in ("start", "end"))
    if end < start:
        raise BadInput(
            f"{name} ends at {end:g} s, before it starts at {start:g} s. The order is "
            f"{_WORD_FORMS if name.startswith('words') or '.words' in name else _FORMS}."
        )
    return start, end


def _time(value: Any, name: str) -> float:
    found = _number(value, name, "a number of seconds")
    if found < 0:
        raise BadInput(f"{name} must not be negative: {found:g}.")
    if found > LONGEST_S:
        raise BadInput(f"{name} must be a number of seconds below {LONGEST_S:,}, not {found:g}.")
    return found + 0.0  # no minus before a zero


def _number(value: Any, name: str, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{name} must be {what}, not {_kind(value)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"{name} must be {what}, not {value}.")
    return float(min(max(value, -_HUGE), _HUGE))  # whole numbers of JSON have no limit


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{name} must be a string, not {_kind(value)}.")
    if len(value) > LONGEST_SPOKEN:
        raise BadInput(f"{name} may have at most {LONGEST_SPOKEN:,} characters; shorten it.")
    return value


def _kind(value: Any) -> str:
    """A JSON value in words; short text as it is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:40]}…")
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else "a number"
