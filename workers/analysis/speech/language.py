"""Which language is spoken in a file: heard in the first windows of speech, then kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping

# faster-whisper 1.2.1 (language_detection_threshold) is content with 0.5 of one piece. Unclear
# beginnings (music, a slate, a crowd) are common in rushes, so that we listen on for longer.
SURE = 0.8
MOST_WINDOWS = 4


class LanguageChoice:
    """Given, or made from the mean of what was detected, weighted by seconds of speech."""

    def __init__(self, known: Collection[str], given: str | None) -> None:
        self.language = given or (next(iter(known)) if len(known) == 1 else "")
        self.probability: float | None = None
        self._sums: dict[str, float] = dict.fromkeys(known, 0.0)
        self._seconds = 0.0
        self._windows = 0

    @property
    def is_made(self) -> bool:
        return bool(self.language)

    def add(self, probabilities: Mapping[str, float], seconds: float) -> None:
        """What the model says of one more window."""
        for language, probability in probabilities.items():
            self._sums[language] = self._sums.get(language, 0.0) + probability * seconds
        self._seconds += seconds
        self._windows += 1
        if self._windows >= MOST_WINDOWS or max(self._sums.values()) >= SURE * self._seconds:
            self.make()

    def make(self) -> None:
        """Choose now. No window will follow."""
        if not self.is_made:
            self.language = max(self._sums, key=self._sums.__getitem__)
            self.probability = round(self._sums[self.language] / self._seconds, 3)
