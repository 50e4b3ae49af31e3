"""Sound of a file into its transcript: windows of speech, a language, text, doubts about it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from shared.cache.transcripts import Transcript, TranscriptWarning
from shared.domain import AudioStreams
from shared.errors import MediaError
from shared.models.languages import language_name
from workers.analysis.speech.guard import Guard
from workers.analysis.speech.insertions import find_names, with_names
from workers.analysis.speech.inventions import words_of
from workers.analysis.speech.review import review
from workers.analysis.speech.segments import WITHOUT_SPACES, SegmentBuilder
from workers.analysis.speech.windows import SpeechFinder, Window
from workers.models.protocols import Transcriber, Utterance, VoiceDetector

if TYPE_CHECKING:
    from workers.media.sound.sound_reader import SoundBlock

# Of a word without another model's opinion. Measured with whisper-base, words of plain speech: 47 %
# of the wrong ones are less likely and 5 % of the right ones. Names of the vocabulary are not
# judged so: two in three that are right are less likely than this.
UNLIKELY_WORD = 0.5
# A word as likely as this is not doubted, whatever whisper-tiny.en hears: of plain speech 65 % of
# the wrong words are less likely and heard otherwise, and 2.5 % of the right ones; without this
# limit 70 % and 5.6 %.
SURE_WORD = 0.9

Second = Callable[[], list[Utterance]]  # what another model hears in the same sound

# faster-whisper 1.2.1 (language_detection_threshold) is content with 0.5 of one piece. Unclear
# beginnings (music, a slate, a crowd) are common in rushes, so that we listen on for longer.
SURE = 0.8
MOST_WINDOWS = 4

T = TypeVar("T")

# When a model of one language was not told which it is to hear: of this much speech at least so
# much must make sense, at the end, and after five minutes already. Text makes sense whose words
# are likely. Measured with whisper-tiny.en: 0 to 7 % of German and Spanish speech (7 passages, 5
# voices), 70 to 100 % of English (4 voices, a real one, names, white noise 3 dB below speech);
# half where noise is as loud as English, of which two words in three are wrong by then. Of single
# sentences of 1 to 2 s: all 21 in German refused, and 1 of 24 in English, which was misheard. What
# is shorter tells nothing.
_SPEECH_TO_JUDGE_S, _LEAST_SHARE = 1.0, 0.5
_SPEECH_TO_GIVE_UP_S, _HOPELESS_SHARE = 300.0, 0.1
_LIKELY_WORDS = 0.6  # mean probability of a stretch's words


class SpeechNotUnderstood(MediaError):
    """The speech model does not understand the language of this file."""


class ModelCall(Protocol):
    """Runs one piece of a model's work, which may take long, and gives its result."""

    def __call__(self, work: Callable[[], T], /) -> T: ...


def transcribe(
    blocks: Iterable[SoundBlock],
    transcriber: Transcriber,
    new_detector: Callable[[], VoiceDetector],
    *,
    language: str | None,
    call: ModelCall,
    heard: Callable[[float], None],
    vocabulary: Sequence[str] = (),
    second: Transcriber | None = None,
    streams: AudioStreams = "mix",
) -> Transcript:
    """What is said in the sound of one file. Speech of several streams adds up.

    `language`: Whisper's code, or None to have it detected and then kept for the file.
    `vocabulary`: names that may be said, the most relevant first. `second`: a model whose hearing
    tells which words are doubtful, where it knows the language. `heard` gets the seconds of the
    file that are done, never fewer than before. Holds a few windows of sound, however long the
    file. `streams`: what the blocks are of. Raises SpeechNotUnderstood, and what blocks and `call`
    raise.
    """
    work = _Work(transcriber, new_detector, language, call, vocabulary, second)
    for done in work.hear(blocks):
        heard(done)
    transcript = work.finish(streams)
    heard(transcript.duration_seconds)
    return transcript


def _makes_sense(spoken: Utterance) -> bool:
    words = spoken.words
    return not words or sum(word.probability for word in words) >= _LIKELY_WORDS * len(words)


class _Work:
    """Windows in order of time per stream; their text."""

    def __init__(
        self,
        transcriber: Transcriber,
        new_detector: Callable[[], VoiceDetector],
        language: str | None,
        call: ModelCall,
        vocabulary: Sequence[str],
        second: Transcriber | None,
    ) -> None:
        self._transcriber = transcriber
        self._new_detector = new_detector
        self._given = language
        self._call = call
        self._vocabulary = vocabulary
        self._second = second
        self._is_guessing = language is None and len(transcriber.languages) == 1
        self._speech_s = 0.0
        self._understood_s = 0.0
        self._waiting: list[Window] = []
        self._finders: dict[int | None, SpeechFinder] = {}
        self._builders: dict[int | None, SegmentBuilder] = {}
        self._guards: dict[int | None, Guard] = {}
        self._warnings: list[TranscriptWarning] = []
        self._choice = LanguageChoice(transcriber.languages, language)
        if language is not None and language not in transcriber.languages:
            raise SpeechNotUnderstood(
                f"The speech model {transcriber.spec.key} does not understand "
                f"{language_name(language)}. Choose a multilingual model for this file."
            )

    def hear(self, blocks: Iterable[SoundBlock]) -> Iterator[float]:
        """Take all sound; the seconds of the file that are done, never fewer than before."""
        done = 0.0
        for block in blocks:
            if block.stream not in self._finders:
                self._finders[block.stream] = SpeechFinder(
                    block.stream, self._new_detector(), self._transcriber.longest_s
                )
            for window in self._finders[block.stream].hear(block.pcm):
                self._add(window)
                done = max(done, self._done_seconds())
                yield done
            done = max(done, self._done_seconds())
            yield done

    def finish(self, streams: AudioStreams) -> Transcript:
        """No more sound comes."""
        finders = self._finders.values()
        for finder in finders:
            for window in finder.finish():
                self._add(window)
        if self._waiting:
            self._choice.make()
        self._decode_waiting(1)
        self._check_understood(_SPEECH_TO_JUDGE_S, _LEAST_SHARE)
        segments = [segment for builder in self._builders.values() for segment in builder.finish()]
        # What is detected in what is no speech means nothing.
        is_known = self._given is not None or segments
        return Transcript(
            model=self._transcriber.spec.key,
            language=self._choice.language if is_known else "",
            language_probability=self._choice.probability if is_known else None,
            duration_seconds=max((finder.heard_seconds for finder in finders), default=0.0),
            speech_seconds=sum(finder.speech_seconds for finder in finders),
            audio_streams=streams,
            segments=tuple(sorted(segments, key=lambda one: (one.start, one.stream or 0))),
            warnings=tuple(sorted(self._warnings, key=lambda warning: warning.start)),
        )

    def _done_seconds(self) -> float:
        """What came in, less the speech that waits for words."""
        finders = self._finders.values()
        waiting = sum(window.seconds for window in self._waiting)
        waiting += sum(finder.waiting_seconds for finder in finders)
        came = sum(finder.heard_seconds for finder in finders)
        return max(0.0, came - waiting) / len(finders)

    def _add(self, window: Window) -> None:
        self._waiting.append(window)
        if not self._choice.is_made:
            self._choice.add(
                self._call(lambda: self._transcriber.detect_language(window.pcm)),
                window.speech_seconds,
            )
        if self._choice.is_made:
            self._decode_waiting(self._transcriber.batch_size)

    def _decode_waiting(self, least: int) -> None:
        """Decode batches of windows while so many wait."""
        size = self._transcriber.batch_size
        while len(self._waiting) >= least:
            self._decode(self._waiting[:size])
            del self._waiting[:size]

    def _decode(self, windows: list[Window]) -> None:
        language = self._choice.language
        pieces, words = [window.pcm for window in windows], self._vocabulary
        hear = partial(self._transcriber.transcribe, pieces, language)
        texts = self._call(hear)
        if words and any(texts):
            named = self._call(lambda: hear(vocabulary=words))
            space = "" if language in WITHOUT_SPACES else " "
            texts = [with_names(*both, words, space) for both in zip(texts, named, strict=True)]
        for window, spoken in zip(windows, texts, strict=True):
            self._believe(window, spoken, language)

    def _believe(self, window: Window, heard: list[Utterance], language: str) -> None:
        guard = self._guards.setdefault(window.stream, Guard(language))
        builder = self._builders.setdefault(window.stream, SegmentBuilder(window.stream, language))
        found = review(window, heard, guard, lambda pieces: self._hear_again(pieces, language))
        texts = [spoken for spoken, _ in found.believed]
        looked_at = marked(texts, self._second_hearing(window, language), self._vocabulary)
        for spoken, (_, place) in zip(looked_at, found.believed, strict=True):
            builder.add(spoken, place)
            if _makes_sense(spoken):
                heard_in = place.part(*place.frames(spoken.start, spoken.end))
                self._understood_s += heard_in.speech_seconds
        self._warnings += found.warnings
        self._speech_s += window.speech_seconds
        self._check_understood(_SPEECH_TO_GIVE_UP_S, _HOPELESS_SHARE)

    def _second_hearing(self, window: Window, language: str) -> Second | None:
        second = self._second
        if second is None or language not in second.languages:
            return None
        hear = partial(second.transcribe, [window.pcm], language, vocabulary=self._vocabulary)
        return lambda: self._call(hear)[0]

    def _check_understood(self, least_s: float, share: float) -> None:
        """Raise SpeechNotUnderstood rather than give what an English ear hears in German."""
        speech, understood = self._speech_s, self._understood_s
        if self._is_guessing and speech >= least_s and understood < share * speech:
            only = language_name(self._choice.language).capitalize()
            raise SpeechNotUnderstood(
                f"The speech model {self._transcriber.spec.key} understands {only} alone and could "
                "make little of what is said here. Choose a multilingual model for this file, or "
                f"name {only} as its language."
            )

    def _hear_again(self, pieces: list[Window], language: str) -> list[list[Utterance]]:
        """Each in a call of its own, for which a stop need not wait long."""

        hear = partial(self._transcriber.transcribe, language=language, cautious=True)
        return [self._call(partial(hear, [piece.pcm]))[0] for piece in pieces]


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


def marked(
    texts: Sequence[Utterance], second: Second | None, vocabulary: Sequence[str] = ()
) -> list[Utterance]:
    """The texts of a window with their doubtful words marked.

    By what another model hears, where there is one and a word is not sure; else by how likely the
    model itself finds each word.
    """
    words = [word for spoken in texts for word in spoken.words]
    if second is None:
        names = find_names(texts, vocabulary)
        doubts = [
            word.probability < UNLIKELY_WORD and n not in names for n, word in enumerate(words)
        ]
    elif any(word.probability < SURE_WORD for word in words):
        other = _otherwise([word.text for word in words], [each.text for each in second()])
        doubts = [
            differs and word.probability < SURE_WORD
            for differs, word in zip(other, words, strict=True)
        ]
    else:
        return list(texts)
    left = (replace(word, doubtful=doubt) for word, doubt in zip(words, doubts, strict=True))
    return [replace(spoken, words=tuple(islice(left, len(spoken.words)))) for spoken in texts]


def _otherwise(first: Sequence[str], second: Sequence[str]) -> list[bool]:
    """Of each word of the first text: whether the second one has another in its place."""
    parts = [(n, part) for n, word in enumerate(first) for part in words_of(word)]
    others = words_of(" ".join(second))
    matcher = difflib.SequenceMatcher(None, [part for _, part in parts], others, autojunk=False)
    alike = {block.a + n for block in matcher.get_matching_blocks() for n in range(block.size)}
    doubted = {parts[at][0] for at in range(len(parts)) if at not in alike}
    return [n in doubted for n in range(len(first))]
