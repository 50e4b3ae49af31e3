"""Whisper through faster-whisper and CTranslate2: sound into words with their times."""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens
from numpy.typing import NDArray

from shared.errors import ModelError
from shared.models.languages import language_code, language_name
from shared.models.specs import ModelSpec
from workers.models.protocols import SAMPLE_RATE, SpokenWord, Utterance
from workers.models.turns import Turns

FRAMES_PER_S = 100
TIMESTAMP_S = 0.02  # between two timestamp tokens
# Of a decoding that went wrong (Whisper, decode_with_fallback): text in a loop, or guessed.
LOOP_RATIO, _GUESS_LOGPROB = 2.4, -1.0


@dataclass(frozen=True, slots=True)
class DecodedText:
    tokens: list[int]
    mean_logprob: float
    compression_ratio: float
    no_speech_probability: float

    @property
    def is_doubtful(self) -> bool:
        return self.compression_ratio > LOOP_RATIO or self.mean_logprob < _GUESS_LOGPROB


def decoded_text(result: Any, tokenizer: Tokenizer) -> DecodedText:
    tokens = list(result.sequences_ids[0])
    raw = tokenizer.decode(tokens).strip().encode()
    return DecodedText(
        tokens=tokens,
        mean_logprob=float(result.scores[0]) * len(tokens) / (len(tokens) + 1),  # with its end
        compression_ratio=len(raw) / len(zlib.compress(raw)),
        no_speech_probability=float(result.no_speech_prob),
    )


def stretches(
    tokens: list[int], tokenizer: Tokenizer, offset: int, frames: int
) -> list[dict[str, Any]]:
    """Tokens cut where two timestamps follow each other, as Whisper's own code does.

    Unlike there, text after the last timestamp is kept: pieces end where nobody speaks, so it is
    no half word at the end of a window. `offset` and `frames` (1/100 s) place the window.
    """
    first = tokenizer.timestamp_begin
    cuts = [i for i in range(1, len(tokens)) if tokens[i] >= first and tokens[i - 1] >= first]
    start_s, length_s = offset / FRAMES_PER_S, frames / FRAMES_PER_S
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(tokens)], strict=True):
        part = tokens[begin:end]
        if not any(token < tokenizer.eot for token in part):
            continue
        stamps = [(token - first) * TIMESTAMP_S for token in part if token >= first]
        opens, closes = part[0] >= first, part[-1] >= first
        found.append(
            {
                "seek": offset,
                "start": start_s + (stamps[0] if opens else 0.0),
                "end": start_s + min(stamps[-1] if closes else length_s, length_s),
                "tokens": part,
            }
        )
    return found


def utterance(
    stretch: dict[str, Any], text: str, decoded: DecodedText, longest_s: float
) -> Utterance:
    """An Utterance within the piece, around its words, in plain Python numbers for JSON."""

    def inside(seconds: float) -> float:
        return min(max(float(seconds), 0.0), longest_s)

    words = tuple(
        SpokenWord(
            start=inside(word["start"]),
            end=max(inside(word["start"]), inside(word["end"])),
            text=word["word"].strip(),
            probability=float(word["probability"]),
        )
        for word in stretch["words"]
        if word["word"].strip()
    )
    start = min([inside(stretch["start"]), *(word.start for word in words)])
    return Utterance(
        start=start,
        end=max([start, inside(stretch["end"]), *(word.end for word in words)]),
        text=text,
        words=words,
        mean_logprob=decoded.mean_logprob,
        compression_ratio=decoded.compression_ratio,
        no_speech_probability=decoded.no_speech_probability,
    )


_WINDOW_S = 30.0  # what the encoder hears at most
_WINDOW_FRAMES = round(_WINDOW_S * FRAMES_PER_S)
# A first hearing in batches encodes a piece with at least so much silence behind it, not always
# 30 s; in steps, so that pieces of a batch are heard as alone. Of short ones, without the 30 s,
# even the language is mistaken ("cy" for 2 s of German).
_SILENCE_S, _STEP_S, _SHORT_S = 5.0, 2.0, 4.0
_FIRST_TIMESTAMP_S = 1.0  # Whisper's own limit on where its text may begin
# A model that stops well before the end of a piece is asked again from there. Less is left of
# most pieces: the silence around what was said.
_LEFT_UNHEARD_S = 1.0
# Times of words come from attention and are early by up to this: what follows is heard from the
# next pause on, not with the rest of a word that was heard already.
_EARLY_S, _PAUSE_S = 0.5, 0.1
_SHORTEST_S = 0.1  # holds no word; faster-whisper cannot place words in less
# Bounds a decoding that runs away, at thrice what fast speech in any script takes.
_TOKENS_PER_S, _TOKENS_MORE = 30, 20
_VOCABULARY_TOKENS = 223  # before the prompt: half of the text that Whisper may hold, less one
# faster-whisper's: marks that belong to the word after them, and before them.
_PREPENDED, _APPENDED = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"

Decoding = dict[str, Any]
_FIRST: Decoding = {"beam_size": 5}
# Loops are what a second try is for mostly: no five tokens come twice. (A repetition penalty was
# tried; it drops the last words of good sentences.) When that does not help, other ways of search;
# not sampling, as Whisper's fallback does: CTranslate2 seeds a thread once, so that the same sound
# would have another text each time.
_UNLIKE_BEFORE: Decoding = {"no_repeat_ngram_size": 5}
_CAUTIOUS: tuple[Decoding, ...] = (
    {**_UNLIKE_BEFORE, "beam_size": 8},
    {**_UNLIKE_BEFORE, "beam_size": 1},
    {"no_repeat_ngram_size": 3, "beam_size": 5},
)


@dataclass(slots=True, eq=False)
class _SoundPiece:
    """A piece on its way: its spectrum, and how far it has been heard."""

    features: NDArray[np.float32]  # [mels, frames]
    heard: int = 0  # frames
    spoken: list[Utterance] | None = None

    @property
    def frames(self) -> int:
        return int(self.features.shape[-1])

    @property
    def is_short(self) -> bool:
        return self.frames - self.heard <= _SHORT_S * FRAMES_PER_S

    @property
    def encoded_frames(self) -> int:
        """How much is encoded of what is left to hear, with the silence behind it."""
        if self.is_short:
            return _WINDOW_FRAMES
        left_s = (self.frames - self.heard) / FRAMES_PER_S
        steps = math.ceil((left_s + _SILENCE_S) / _STEP_S)
        return min(round(steps * _STEP_S * FRAMES_PER_S), _WINDOW_FRAMES)

    def window(self, frames: int) -> NDArray[np.float32]:
        rest = self.features[:, self.heard :]
        return np.asarray(pad_or_trim(rest, frames), np.float32)


class WhisperTranscriber:
    """One Whisper model on one device. Each piece is heard by itself, without the one before."""

    longest_s = _WINDOW_S

    def __init__(self, spec: ModelSpec, model: WhisperModel, batch_size: int) -> None:
        self.batch_size = batch_size
        self.spec = spec
        self._model = model
        # By the weights: the preprocessor_config.json that says 128 bands may be missing.
        self._features = FeatureExtractor(feature_size=model.model.n_mels)
        self.languages = frozenset(_understood(spec, model))
        self._tokenizers: dict[str, Tokenizer] = {}
        # The last window that was encoded alone: what tells the language is heard right after.
        self._encoded: tuple[NDArray[np.float32], ctranslate2.StorageView] | None = None
        self._turns = Turns()

    def warmup(self) -> None:
        self.transcribe([np.zeros(SAMPLE_RATE, np.float32)], min(self.languages))

    def detect_language(self, piece: NDArray[np.float32]) -> dict[str, float]:
        if len(self.languages) == 1:  # nothing to tell apart, and some have no tokens for it
            return dict.fromkeys(self.languages, 1.0)
        with self._turns, self._translated():
            encoded = self._encode([self._piece(piece).window(_WINDOW_FRAMES)])
            [told] = self._model.model.detect_language(encoded)
        found = {token[2:-2]: float(probability) for token, probability in told}
        return {code: found.get(code, 0.0) for code in sorted(self.languages)}

    def transcribe(
        self,
        pieces: Sequence[NDArray[np.float32]],
        language: str,
        *,
        cautious: bool = False,
        vocabulary: Sequence[str] = (),
    ) -> list[list[Utterance]]:
        """What is said in each piece. Raises ModelError for a language the model does not know."""
        if language not in self.languages:
            raise ModelError(
                f"{self.spec.key} does not understand {language_name(language)}. Choose another "
                "speech model."
            )
        tokenizer = self._tokenizer(language)
        prompt = [*self._named(vocabulary, tokenizer), *tokenizer.sot_sequence]
        heard = [self._piece(piece) for piece in pieces]
        open_pieces = [piece for piece in heard if piece.frames]
        size = 1 if cautious else self.batch_size
        with self._turns, self._translated():
            while open_pieces:
                batch = _alike(open_pieces)[:size]
                unfinished = self._hear(batch, tokenizer, prompt, cautious)
                open_pieces = unfinished + [each for each in open_pieces if each not in batch]
        return [piece.spoken or [] for piece in heard]

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn CTranslate2's own errors, such as a full GPU's, into a ModelError."""
        try:
            yield
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"{self.spec.key} failed: {reason}") from error

    def _piece(self, pcm: NDArray[np.float32]) -> _SoundPiece:
        if pcm.ndim != 1 or len(pcm) > self.longest_s * SAMPLE_RATE:
            raise ValueError(f"a piece is mono and at most {self.longest_s:g} s: {pcm.shape}")
        frames = len(pcm) * FRAMES_PER_S // SAMPLE_RATE
        if frames < _SHORTEST_S * FRAMES_PER_S:
            return _SoundPiece(np.empty((0, 0), np.float32))
        # The extractor adds a frame of padding, which is no sound.
        return _SoundPiece(np.asarray(self._features(pcm)[:, :frames], np.float32))

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            multilingual = self._model.model.is_multilingual
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer, multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]

    def _named(self, vocabulary: Sequence[str], tokenizer: Tokenizer) -> list[int]:
        """A prompt of these words, the first that fit: as if they had been said just before."""
        tokens: list[int] = []
        for word in vocabulary:
            more = tokenizer.encode(f"{',' if tokens else ''} {word}")
            more = [token for token in more if token < tokenizer.eot]  # "<|en|>" is a token, too
            if len(tokens) + len(more) > _VOCABULARY_TOKENS:
                break
            tokens += more
        return [tokenizer.sot_prev, *tokens] if tokens else []

    def _encode(self, windows: list[NDArray[np.float32]]) -> ctranslate2.StorageView:
        is_alone = len(windows) == 1
        if is_alone and self._encoded and np.array_equal(self._encoded[0], windows[0]):
            return self._encoded[1]
        stacked = np.ascontiguousarray(np.stack(windows))
        encoded = self._model.model.encode(
            ctranslate2.StorageView.from_array(stacked),
            to_cpu=not is_alone,  # where the rows can be told apart again
        )
        if is_alone:
            self._encoded = windows[0], encoded
        return encoded

    def _hear(
        self, batch: list[_SoundPiece], tokenizer: Tokenizer, prompt: list[int], cautious: bool
    ) -> list[_SoundPiece]:
        """One window of each piece; those of which something is left to hear come back."""
        is_alone = self.batch_size == 1
        # Alone a piece is encoded with all of the 30 s, as its language was told from.
        frames = _WINDOW_FRAMES if cautious or is_alone else batch[0].encoded_frames
        encoded = self._encode([piece.window(frames) for piece in batch])
        seconds = max(piece.frames - piece.heard for piece in batch) / FRAMES_PER_S
        is_timed = cautious or is_alone or batch[0].is_short
        if cautious:
            decoded = [self._decode_carefully(encoded, seconds, tokenizer, prompt)]
        elif is_timed:
            decoded = self._decode(encoded, seconds, tokenizer, prompt, _FIRST, len(batch))
        else:
            plain = [*prompt, tokenizer.no_timestamps]
            decoded = self._decode(encoded, seconds, tokenizer, plain, _FIRST, len(batch))
        unfinished = []
        for row, (piece, text) in enumerate(zip(batch, decoded, strict=True)):
            own = encoded if len(batch) == 1 else _row(encoded, row)
            before = piece.heard, piece.spoken
            is_believed = is_timed or not text.is_doubtful
            is_unfinished = is_believed and self._keep(piece, text, own, tokenizer)
            if not is_timed and (is_unfinished or not is_believed):
                # Without timestamps it takes less time and has fewer wrong words, but lines may
                # come again and again, and where the last word ends is less sure.
                piece.heard, piece.spoken = before
                [timed] = self._decode(own, seconds, tokenizer, prompt, _FIRST)
                is_unfinished = self._keep(piece, timed, own, tokenizer)
            if is_unfinished:
                unfinished.append(piece)
        return unfinished

    def _decode(
        self,
        encoded: ctranslate2.StorageView,
        seconds: float,
        tokenizer: Tokenizer,
        prompt: list[int],
        way: Decoding,
        count: int = 1,
    ) -> list[DecodedText]:
        longest = len(prompt) + _TOKENS_MORE + round(seconds * _TOKENS_PER_S)
        results = self._model.model.generate(
            encoded,
            [prompt] * count,
            max_length=min(longest, self._model.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            max_initial_timestamp_index=round(_FIRST_TIMESTAMP_S / TIMESTAMP_S),
            **way,
        )
        return [decoded_text(result, tokenizer) for result in results]

    def _decode_carefully(
        self,
        encoded: ctranslate2.StorageView,
        seconds: float,
        tokenizer: Tokenizer,
        prompt: list[int],
    ) -> DecodedText:
        """The first decoding without a doubt, else the likeliest, without a loop if any."""
        tries = []
        for way in _CAUTIOUS:
            tries.append(self._decode(encoded, seconds, tokenizer, prompt, way)[0])
            if not tries[-1].is_doubtful:
                return tries[-1]
        loopless = [found for found in tries if found.compression_ratio <= LOOP_RATIO]
        return max(loopless or tries, key=lambda found: found.mean_logprob)

    def _keep(
        self,
        piece: _SoundPiece,
        decoded: DecodedText,
        encoded: ctranslate2.StorageView,
        tokenizer: Tokenizer,
    ) -> bool:
        """Note a decoding with the times of its words; whether sound of the piece is left."""
        frames = min(piece.frames - piece.heard, round(_WINDOW_S * FRAMES_PER_S))
        parts = stretches(decoded.tokens, tokenizer, piece.heard, frames)
        before = piece.spoken or []
        if parts:
            self._model.add_word_timestamps(
                [parts], tokenizer, encoded, frames, _PREPENDED, _APPENDED,
                before[-1].end if before else 0.0,
            )  # fmt: skip
        found = [
            utterance(part, text, decoded, piece.frames / FRAMES_PER_S)
            for part in parts
            if (text := tokenizer.decode(part["tokens"]).strip())
        ]
        piece.spoken = before + found
        if not found:
            return False
        reached = _pause_after(piece, round(max(each.end for each in found) * FRAMES_PER_S))
        advanced = reached > piece.heard
        piece.heard = max(reached, piece.heard)
        return advanced and piece.frames - piece.heard > _LEFT_UNHEARD_S * FRAMES_PER_S


def _alike(pieces: list[_SoundPiece]) -> list[_SoundPiece]:
    """Pieces that are encoded and decoded in the way of the first."""
    first = pieces[0].encoded_frames, pieces[0].is_short
    return [piece for piece in pieces if (piece.encoded_frames, piece.is_short) == first]


def _pause_after(piece: _SoundPiece, frame: int) -> int:
    """The middle of the pause that follows a frame at once; that frame if none does."""
    after = piece.features[:, frame : frame + round(_EARLY_S * FRAMES_PER_S)].mean(axis=0)
    length = round(_PAUSE_S * FRAMES_PER_S)
    if len(after) < length:
        return frame
    loudness = np.convolve(after, np.ones(length) / length, mode="valid")
    quietest = int(np.argmin(loudness))
    is_pause = loudness[quietest] < piece.features.mean()
    return frame + quietest + length // 2 if is_pause else frame


def _understood(spec: ModelSpec, model: WhisperModel) -> set[str]:
    """Languages that the spec names, as far as the weights have tokens for them."""
    if not model.model.is_multilingual:
        return {"en"}
    codes = {code for name in spec.languages if (code := language_code(name))}
    known = {code for code in codes if model.hf_tokenizer.token_to_id(f"<|{code}|>") is not None}
    return known or {"en"}


def _row(encoded: ctranslate2.StorageView, row: int) -> ctranslate2.StorageView:
    one = np.ascontiguousarray(np.asarray(encoded)[row : row + 1])
    return ctranslate2.StorageView.from_array(one)
