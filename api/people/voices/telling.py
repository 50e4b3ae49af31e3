"""What the speakers of one file are called in its transcript, and what they say."""

from __future__ import annotations

from collections.abc import Iterator

from shared.cache import cache_files, speakers, transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import SpeakerTurns
from shared.cache.spoken_by import by_speaker, speaker_label
from shared.cache.transcripts import Segment
from shared.domain import Manifest

_MOST_LETTERS = 120


class ToldSpeakers:
    """The speakers of the transcript that answers for a file, by their ids."""

    def __init__(self, cache: CacheDir, hash_str: str, source: Manifest, told: SpeakerTurns):
        self._cache, self._hash_str, self._source, self._told = cache, hash_str, source, told
        self._parts: list[Segment] | None = None

    @classmethod
    def of(cls, cache: CacheDir, hash_str: str, preferred_model: str) -> ToldSpeakers | None:
        """None where speakers were not told apart. Raises CacheError."""
        with cache_files.clear_errors(cache.root):
            source = transcripts.find(cache, hash_str, preferred_model)
            found = source and speakers.find(cache, hash_str, source)
            if source is None or found is None:
                return None
            return cls(cache, hash_str, source, speakers.read(cache, hash_str, found))

    def __iter__(self) -> Iterator[tuple[str, int, float]]:
        """Label, id and seconds of each, by first appearance."""
        for number, speaker in enumerate(self._told.speakers):
            yield speaker_label(number), speaker.id, speaker.seconds

    def label(self, id_: int) -> str | None:
        return next((label for label, known, _ in self if known == id_), None)

    def words(self, label: str, start: float, end: float) -> str:
        """What a speaker says in a stretch, from its first words on. Raises CacheError."""
        if self._parts is None:
            spoken = transcripts.read(self._cache, self._hash_str, self._source)
            self._parts = [part.segment for part in by_speaker(spoken.segments, self._told.turns)]
        said = (
            part.text
            for part in self._parts
            if part.speaker == label and part.start < end and part.end > start
        )
        return _shortened(" ".join(said))


def _shortened(text: str) -> str:
    """At most so many letters, in whole words."""
    if len(text) <= _MOST_LETTERS:
        return text
    return text[: _MOST_LETTERS - 1].rsplit(" ", 1)[0] + "…"
