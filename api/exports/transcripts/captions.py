"""Segments cut anew into captions: lines that are not too long, on screen long enough to read.

Each segment is cut where a reader would pause, and its cues get the times of their words (where
words are missing: by their share of the text). Segments are never joined, nor is text dropped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

from api.exports.transcripts.caption_breaks import BAD, CaptionPiece, Measure, bare, penalty, pieces
from api.exports.transcripts.document import (
    CaptionRules,
    ExportSegment,
    ExportWord,
    TranscriptDocument,
)

_USUAL_RATE = 24  # frames a second for gap_frames where the request names none, as Netflix does
_RAGGED = 6.0  # cost of a wholly empty line, against the penalties of breaks
_LOPSIDED = 12.0  # cost of a cut at the very end of a text, against the same


def reflowed(
    document: TranscriptDocument, rules: CaptionRules, *, name_speakers: bool
) -> list[ExportSegment]:
    """Segments by start, each one a cue; lines of a cue are parted by `\n`.

    `name_speakers`: begin the first cue of a segment with its speaker and a colon.
    """
    cues: list[tuple[ExportSegment, float]] = []
    for segment in document.segments:
        cues += _cues(segment, document.language, rules, name_speakers)
    cues.sort(key=lambda cue: cue[0].start)
    rate = document.timecode.rate if document.timecode else _USUAL_RATE
    gap = float(rules.gap_frames / rate)
    starts = [cue.start for cue, _ in cues[1:]]
    return [
        dataclasses.replace(cue, end=_end(cue, reading, next_start, rules, gap))
        for (cue, reading), next_start in zip(cues, [*starts, None], strict=False)
    ]


def _end(
    cue: ExportSegment, reading: float, next_start: float | None, rules: CaptionRules, gap: float
) -> float:
    """Long enough to read, with a gap before the next cue; people who talk at once overlap."""
    wanted = max(cue.end, cue.start + rules.min_duration, cue.start + reading / rules.max_cps)
    wanted = min(wanted, cue.start + rules.max_duration)
    if next_start is None:
        return wanted
    least = min(cue.end - gap, cue.start + rules.min_duration)
    return max(min(wanted, next_start - gap), least, cue.start)


def _cues(
    segment: ExportSegment, language: str | None, rules: CaptionRules, name_speakers: bool
) -> list[tuple[ExportSegment, float]]:
    """Cues, each with its characters to read; the segment's time is shared out among them."""
    measure = Measure(language, segment.text)
    found = pieces(segment.text, measure, rules.max_chars)
    if not found:
        return []
    found[0].start, found[-1].end = segment.start, segment.end
    lead = []
    if name_speakers and segment.speaker:
        lead = pieces(f"{segment.speaker}:", measure, rules.max_chars)
        for piece in lead:
            piece.start = piece.end = segment.start
    breaks = [penalty(a, b, language) for a, b in pairwise([*lead, *found])]
    if lead:
        breaks[len(lead) - 1] = BAD
    whole = [*lead, *found]
    if _fits(whole, breaks, rules):
        ranges = [(0, len(whole))]
    else:
        _set_times(found, segment)
        ranges = _cuts(whole, breaks, rules)
    return [
        _cue(segment, whole[first:last], breaks[first : last - 1], rules, bool(lead))
        for first, last in ranges
    ]


def _cue(
    segment: ExportSegment,
    part: Sequence[CaptionPiece],
    breaks: Sequence[float],
    rules: CaptionRules,
    is_named: bool,
) -> tuple[ExportSegment, float]:
    text = "\n".join(_joined(part[a:b]) for a, b in _lines(part, breaks, rules))
    speaker = None if is_named else segment.speaker
    reading = sum(piece.reading for piece in part) + sum(piece.has_space for piece in part[1:])
    return ExportSegment(part[0].start, part[-1].end, text, speaker), reading


def _cuts(
    found: Sequence[CaptionPiece], breaks: Sequence[float], rules: CaptionRules
) -> list[tuple[int, int]]:
    """Ranges of pieces that fit a cue: cut where it reads best until all of them do."""
    done: list[tuple[int, int]] = []
    open_ranges = [(0, len(found))]
    while open_ranges:
        first, last = open_ranges.pop()
        if last - first == 1 or _fits(found[first:last], breaks[first : last - 1], rules):
            done.append((first, last))
            continue
        middle = _best_cut(found, breaks, first, last)
        open_ranges += [(middle, last), (first, middle)]
    return done


def _fits(part: Sequence[CaptionPiece], breaks: Sequence[float], rules: CaptionRules) -> bool:
    columns = _columns(part)
    if columns > (rules.max_chars + 1) * rules.max_lines:  # a space goes where a line ends
        return False
    # A few words that are held for long stay together; their end is cut.
    is_long = part[-1].end - part[0].start > rules.max_duration
    if is_long and columns > rules.max_chars / 2:
        return False
    return bool(_lines(part, breaks, rules))


def _best_cut(found: Sequence[CaptionPiece], breaks: Sequence[float], first: int, last: int) -> int:
    total = sum(piece.columns for piece in found[first:last])
    best, best_cost, before = first + 1, float("inf"), 0.0
    for n in range(first + 1, last):
        before += found[n - 1].columns
        cost = breaks[n - 1] + _LOPSIDED * (2 * before / total - 1) ** 2
        if cost < best_cost:
            best, best_cost = n, cost
    return best


def _lines(
    part: Sequence[CaptionPiece], breaks: Sequence[float], rules: CaptionRules
) -> list[tuple[int, int]]:
    """The fewest lines that hold the pieces, broken where it costs least; [] if too many.

    The optimum over all ways to break, as Knuth and Plass (1981) find it, with our costs.
    """
    columns = _columns(part)
    if columns <= rules.max_chars and not any(piece.starts_line for piece in part[1:]):
        return [(0, len(part))]
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)]  # lines, cost, begin of the last line
    for end in range(1, len(part) + 1):
        found = (rules.max_lines + 1, 0.0, 0)
        columns = 0.0
        for begin in range(end - 1, -1, -1):
            columns += part[begin].columns
            if begin + 1 < end:
                columns += part[begin + 1].has_space
            if columns > rules.max_chars + 1e-6:
                break
            lines, cost, _ = best[begin]
            slack = 1 - columns / rules.max_chars
            cost += _RAGGED * slack * slack + (breaks[begin - 1] if begin else 0.0)
            found = min(found, (lines + 1, cost, begin))
            if part[begin].starts_line:
                break
        best.append(found)
    if best[-1][0] > rules.max_lines:
        return []
    ranges = []
    end = len(part)
    while end:
        begin = best[end][2]
        ranges.append((begin, end))
        end = begin
    return ranges[::-1]


def _columns(part: Sequence[CaptionPiece]) -> float:
    """Columns of the pieces on one line, with the spaces between them."""
    return sum(piece.columns for piece in part) + sum(piece.has_space for piece in part[1:])


def _joined(part: Sequence[CaptionPiece]) -> str:
    return "".join(
        f" {piece.text}" if number and piece.has_space else piece.text
        for number, piece in enumerate(part)
    )


def _set_times(found: Sequence[CaptionPiece], segment: ExportSegment) -> None:
    """Time pieces by the words where they spell the text, else by their share of the reading."""
    if bare("".join(word.text for word in segment.words)) == bare(segment.text):
        _set_times_of_words(found, segment)
    else:
        total = sum(piece.reading for piece in found) or 1.0
        rate = (segment.end - segment.start) / total
        read = 0.0
        for piece in found:
            piece.start = segment.start + read * rate
            read += piece.reading
            piece.end = segment.start + read * rate
    found[0].start, found[-1].end = segment.start, segment.end


def _set_times_of_words(found: Sequence[CaptionPiece], segment: ExportSegment) -> None:
    """Never back in time, nor out of the segment, whatever the words say."""
    spans = [span for word in segment.words for span in _spread(word)]
    position, now = 0, segment.start
    for piece in found:
        first, position = position, position + len(piece.text)
        piece.start = min(max(now, spans[first][0]), segment.end)
        piece.end = now = min(max(piece.start, spans[position - 1][1]), segment.end)


def _spread(word: ExportWord) -> list[tuple[float, float]]:
    """The time of each character of a word."""
    count = len(bare(word.text))
    step = (word.end - word.start) / max(1, count)
    return [(word.start + n * step, word.start + (n + 1) * step) for n in range(count)]
