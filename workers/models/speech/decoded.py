"""What Whisper decoded, as stretches of text with their measures and times."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

from faster_whisper.tokenizer import Tokenizer

from workers.models.protocols import SpokenWord, Utterance

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
