"""Passages of transcripts that a query finds: by their words, nearly, or by what they mean."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import NamedTuple

import stringzilla

from api.search.index_log import Key
from api.search.transcripts import finding
from api.search.transcripts.log import IndexedTranscript
from api.search.transcripts.meanings import Likeness
from api.search.transcripts.query import (
    LONGEST_FUZZY,
    MatchedBy,
    SpeakerChoice,
    SpokenHit,
    SpokenQuery,
    Words,
)
from api.search.transcripts.text import TranscriptLine, joined
from api.search.types import VectorArray
from shared.models.sentence_model import LEAST

# Files looked through before matches are picked: few first, since these may have enough.
_FIRST_FILES, _FILES_AT_ONCE = 32, 512
_LINES_AT_ONCE = 64  # that are read, at the least, of what is found by its meaning

Stretches = list[tuple[float, float]]  # seconds, start and end
FindLike = Callable[[Sequence[IndexedTranscript], VectorArray, float], Iterator[Likeness]]


class _Passage(NamedTuple):
    """Neighbouring segments."""

    first: int  # of them, by its number
    start: float
    end: float
    text: str
    speakers: Set[str | None]  # labels of all of them

    @classmethod
    def of(cls, lines: Sequence[TranscriptLine], first: int, last: int, whole: bool) -> _Passage:
        """Return the passage of these lines; `whole`: with all of their segments."""
        while whole and first and _is_one(lines[first - 1], lines[first]):
            first -= 1
        while whole and last + 1 < len(lines) and _is_one(lines[last], lines[last + 1]):
            last += 1
        said = lines[first : last + 1]
        spans = [(line.start, line.end, line.text) for line in said]
        if whole:
            pairs = zip(said, spans, strict=True)
            spans = list(dict.fromkeys(line.segment or span for line, span in pairs))
        text = joined([text for _, _, text in spans])
        return cls(first, spans[0][0], spans[-1][1], text, {line.speaker for line in said})


class FoundPassage(NamedTuple):
    """A passage of a transcript, and how it was found."""

    transcript: IndexedTranscript
    passage: _Passage
    matched_by: MatchedBy
    cosine: float | None = None

    @property
    def hit(self) -> SpokenHit:
        """This passage as answers need it; where its file lies is not known yet."""
        first, start, end, text, speakers = self.passage
        speaker = next(iter(speakers)) if len(speakers) == 1 else None
        ids = {self.transcript.voice_of.get(label or "", 0) for label in speakers}
        voices = frozenset() if 0 in ids else frozenset(ids)
        return SpokenHit(
            self.transcript.hash_str, first, start, end, text, speaker, None,
            self.matched_by, self.cosine, voices,
        )  # fmt: skip


def find_passages(
    files: Sequence[IndexedTranscript], query: SpokenQuery, find_like: FindLike
) -> list[FoundPassage]:
    """Passages as the mode wants them, `max_results` of them in all. Raises LogDamaged."""
    if query.mode in ("substring", "fuzzy"):
        return list(_by_words(files, query, query.mode))
    found: list[FoundPassage] = []
    if query.mode == "auto":
        found += _by_words(files, query, "substring")
        if len(found) < query.max_results and len(query.text) <= LONGEST_FUZZY:
            alike = _beside(found, _by_words(files, query, "fuzzy"))
            found += itertools.islice(alike, query.max_results - len(found))
    if query.vector is not None:
        like, left = find_like(files, query.vector, LEAST), query.max_results - len(found)
        of_speaker = _by_meaning(like, query.speaker, max(left, _LINES_AT_ONCE))
        found += itertools.islice(_beside(found, of_speaker), left)
    return found


def _beside(found: Sequence[FoundPassage], more: Iterable[FoundPassage]) -> Iterator[FoundPassage]:
    """What of `more` does not reach into passages found in the same transcript already."""
    taken: dict[Key, list[_Passage]] = {}
    for one in found:
        taken.setdefault(one.transcript.key, []).append(one.passage)
    for one in more:
        _, start, end, *_ = one.passage
        there = taken.get(one.transcript.key, ())
        if not any(start == a or (start < b and a < end) for _, a, b, *_ in there):
            yield one


def _by_meaning(
    like: Iterator[Likeness], speaker: SpeakerChoice | None, at_once: int
) -> Iterator[FoundPassage]:
    """Segments by their likeness, read so many at a time. Raises LogDamaged."""
    of_speaker = like if speaker is None else _said_by(like, speaker)
    known: set[tuple[Key, int]] = set()
    while some := list(itertools.islice(of_speaker, at_once)):
        passages: dict[tuple[Key, int], _Passage] = {}
        for transcript, of_it in itertools.groupby(
            sorted(some, key=lambda one: one[0].key), key=lambda one: one[0]
        ):
            lines = transcript.lines()  # much more than is wanted of it
            for _, row, _ in of_it:
                passages[transcript.key, row] = _Passage.of(lines, row, row, speaker is None)
        for transcript, row, cosine in some:
            passage = passages[transcript.key, row]
            if (transcript.key, passage.first) not in known:  # of each segment once
                known.add((transcript.key, passage.first))
                yield FoundPassage(transcript, passage, "semantic", cosine)


def _said_by(like: Iterator[Likeness], speaker: SpeakerChoice) -> Iterator[Likeness]:
    labels: dict[Key, Set[str]] = {}
    for one in like:
        transcript, row, _ = one
        if transcript.key not in labels:
            labels[transcript.key] = speaker.labels(transcript)
        if _is_of(labels[transcript.key], transcript, row, row):
            yield one


def _by_words(
    files: Sequence[IndexedTranscript], query: SpokenQuery, mode: Words
) -> Iterator[FoundPassage]:
    """Passages of each file that has any, `max_results` of them in all. Raises LogDamaged."""
    left = query.max_results
    for some in _batches(files):
        for transcript in _candidates(some, query, mode):
            spans = _spans(transcript, query, mode)
            # By stream, then by time: the first ones in time may come last. And several may be
            # parts of one segment.
            most = min(left, query.per_file or left)
            is_all = transcript.has_streams or transcript.has_segments
            chosen = list(spans if is_all else itertools.islice(spans, most))
            whole = query.speaker is None
            for passage in _passages(transcript, chosen, whole)[:most] if chosen else ():
                yield FoundPassage(transcript, passage, "fuzzy" if mode == "fuzzy" else "literal")
                left -= 1
            if not left:
                return


def _batches(files: Sequence[IndexedTranscript]) -> Iterator[Sequence[IndexedTranscript]]:
    at, count = 0, _FIRST_FILES
    while at < len(files):
        yield files[at : at + count]
        at, count = at + count, min(2 * count, _FILES_AT_ONCE)


def _candidates(
    files: Sequence[IndexedTranscript], query: SpokenQuery, mode: Words
) -> Sequence[IndexedTranscript]:
    """Files that may have a match, found in one go: most archives have many short files."""
    if query.speaker is not None:
        files = [transcript for transcript in files if query.speaker.labels(transcript)]
    if mode == "fuzzy":
        are_alike = finding.alike([transcript.folded for transcript in files], query.text)
        return list(itertools.compress(files, are_alike))
    find, text = stringzilla.find, query.text.encode()
    return [transcript for transcript in files if find(transcript.folded, text) >= 0]


def _spans(
    transcript: IndexedTranscript, query: SpokenQuery, mode: Words
) -> Iterator[finding.Span]:
    if mode == "fuzzy":
        spans = finding.fuzzy(transcript.folded, transcript.starts, query.text)
    else:
        spans = finding.exact(transcript.folded, transcript.starts, query.text.encode())
    if query.speaker is None:
        return spans
    labels = query.speaker.labels(transcript)
    return (span for span in spans if _is_of(labels, transcript, *span))


def _is_of(labels: Set[str], transcript: IndexedTranscript, first: int, last: int) -> bool:
    """Whether these speakers, and nobody else, say all of these segments."""
    said_by = set(transcript.speakers[first : last + 1])
    return bool(said_by) and said_by <= labels


def _passages(
    transcript: IndexedTranscript, spans: list[finding.Span], whole: bool
) -> list[_Passage]:
    lines = transcript.lines()
    found: dict[int, _Passage] = {}
    for first, last in spans:
        passage = _Passage.of(lines, first, last, whole)
        found.setdefault(passage.first, passage)
    passages = list(found.values())
    if transcript.has_streams:
        passages.sort(key=lambda passage: passage.start)
    return passages


def _is_one(before: TranscriptLine, line: TranscriptLine) -> bool:
    """Return True if two neighbouring lines are parts of one segment."""
    return line.segment is not None and before.segment == line.segment


def stretches_of(
    files: Sequence[IndexedTranscript], speaker: SpeakerChoice
) -> dict[Key, Stretches]:
    """Segments that a speaker says, of each transcript that has any. Raises LogDamaged."""
    found = {}
    for transcript in files:
        if labels := speaker.labels(transcript):
            lines = zip(transcript.lines(), transcript.speakers, strict=True)
            found[transcript.key] = [
                (line.start, line.end) for line, said_by in lines if said_by in labels
            ]
    return found
