"""What to look for in transcripts, in which files, and what is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, get_args

from api.search.paging.pages import Key as SortKey
from api.search.transcripts.log import IndexedTranscript
from api.search.transcripts.text import fold
from api.search.types import VectorArray
from shared.cache.captions import CaptionKind

LONGEST_FUZZY = 200  # characters; time grows with the square of what is longer

Words = Literal["substring", "fuzzy"]
Mode = Words | Literal["semantic", "auto"]
MatchedBy = Literal["literal", "fuzzy", "semantic"]
_TIERS = get_args(MatchedBy)


@dataclass(frozen=True, slots=True)
class SpeakerChoice:
    """Whose words count: of who has this label in a file, and of voices that bear a name.

    `label` is folded; `voices`: their ids, by the hash of their MediaFile.
    """

    label: str
    voices: Mapping[str, Set[int]] = field(default_factory=dict)

    def labels(self, transcript: IndexedTranscript) -> Set[str]:
        """Folded labels of these voices in a transcript; none where nobody of them speaks in it."""
        ours = self.voices.get(transcript.hash_str, ())
        named = {fold(label) for label, voice in transcript.voice_of.items() if voice in ours}
        return (named | {self.label}).intersection(transcript.speakers)


@dataclass(frozen=True, slots=True)
class SpokenQuery:
    """What to look for in transcripts; `text` is folded and not empty.

    `model`: whose transcript answers where a file has several, if it has one by it. `vector`: what
    it means, for the modes "semantic" and "auto", which without it looks at words alone.
    """

    text: str
    model: str
    mode: Mode = "substring"
    speaker: SpeakerChoice | None = None
    max_results: int = 50
    vector: VectorArray | None = None
    per_file: int | None = None  # of what is found by its words, at most so many in each file
    captions: bool = False  # whether those that lie in files are searched too, by their words

    @property
    def searches_captions(self) -> bool:
        """Whether captions are wanted and can be found; who speaks and what is meant is unknown."""
        return self.captions and self.mode != "semantic" and self.speaker is None


@dataclass(frozen=True, slots=True)
class FileChoice:
    """Which files are searched, and in which order.

    `hashes`: these, in this order; None: all, by their newest paths. `only`: those among them,
    None: all. `key` gives another order; files before `first` are left out.
    """

    hashes: Sequence[str] | None = None
    only: Set[str] | None = None
    key: Callable[[str], SortKey] | None = None
    first: SortKey | None = None

    def of(self, files: Sequence[IndexedTranscript]) -> list[IndexedTranscript]:
        """Return those of all files, in their usual order, that are searched."""
        if self.hashes is not None:
            known = {one.hash_str: one for one in files}
            files = [
                known[hash_str] for hash_str in dict.fromkeys(self.hashes) if hash_str in known
            ]
        chosen = [one for one in files if self.only is None or one.hash_str in self.only]
        if self.key is None:
            return chosen
        keyed = sorted((self.key(one.hash_str), n) for n, one in enumerate(chosen))
        return [chosen[n] for key, n in keyed if self.first is None or key >= self.first]


ALL_FILES = FileChoice()


@dataclass(frozen=True, slots=True)
class SpokenHit:
    """One or more neighbouring segments; seconds on the container's clock, `text` as written.

    `number`: of the first one in its transcript. `speaker`: who says all of it, by label.
    `voices`: those who say it, none where anybody's is not known. `path`: see Hit.
    `cosine`: how like the query it is, where it was found by what it means. `kind`: None of what
    was heard.
    """

    hash_str: str
    number: int
    start: float
    end: float
    text: str
    speaker: str | None
    path: str | None
    matched_by: MatchedBy
    cosine: float | None = None
    voices: Set[int] = frozenset()
    kind: CaptionKind | None = None

    @property
    def tier(self) -> int:
        """Words come before what is like them, and this before what means the same."""
        return _TIERS.index(self.matched_by)

    @property
    def score(self) -> float:
        return self.cosine or 0.0

    @property
    def base(self) -> float:
        return self.score

    @property
    def place(self) -> SortKey:
        """By which hits of one file are ordered; two streams may say the same at once."""
        return self.start, self.number
