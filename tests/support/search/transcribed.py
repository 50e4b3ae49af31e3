"""Writes transcripts into a CacheDir as a worker would."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.cache import sentence_rows
from shared.cache.cache_dir import CacheDir
from shared.cache.captions import Captions, CaptionSegment, CaptionTrack
from shared.cache.speakers import SpeakerTurns
from shared.cache.transcripts import Segment, Transcript, Word
from shared.domain import Manifest, Stage
from shared.models.sentence_model import ROWS
from tests.support.media.by_path import hash_media

MODEL = "whisper-base"


def spoken(start: float, text: str, end: float, **more: Any) -> Segment:
    """A segment whose words share its time evenly."""
    words = text.split()
    step = (end - start) / max(1, len(words))
    return Segment(
        start=start,
        end=end,
        text=text,
        words=tuple(
            Word(round(start + n * step, 3), round(start + (n + 1) * step, 3), word, 0.9)
            for n, word in enumerate(words)
        ),
        **more,
    )


def publish(
    cache: CacheDir, hash_str: str, segments: tuple[Segment, ...] = (), **more: Any
) -> Manifest:
    """`more`: fields of the Transcript that differ from an English one of the default model.

    `rows`: what its segments mean, one each. `vocabulary`: words that the model was given; UNSET:
    those of a version that added names of folders.
    """
    rows: NDArray[np.float16] | None = more.pop("rows", None)
    vocabulary = more.pop("vocabulary", ())
    fields: dict[str, Any] = {
        "model": MODEL,
        "language": "en",
        "language_probability": 0.97,
        "duration_seconds": 60.0,
        "speech_seconds": sum(segment.end - segment.start for segment in segments),
        "audio_streams": "mix",
        "segments": segments,
        **more,
    }
    found = Transcript(**fields)
    has_pack = rows is not None
    with cache.draft(
        hash_str, Stage.TRANSCRIPT, found.model, "json", "1", has_pack=has_pack
    ) as draft:
        draft.file.write(msgspec.json.encode(found))
        if rows is not None and draft.pack is not None:
            sentence_rows.write(draft.pack, rows)
        return draft.publish(
            rows=len(segments),
            language=found.language,
            audio_streams=found.audio_streams,
            sentence_model=ROWS if has_pack else "",
            vocabulary=vocabulary,
            made_at=time.time(),
        )


def publish_speakers(
    cache: CacheDir, hash_str: str, found: SpeakerTurns, model: str = MODEL
) -> Manifest:
    """Who speaks, of the transcript by this model that is there."""
    with cache.draft(hash_str, Stage.SPEAKERS, model, "json", "1") as draft:
        draft.file.write(msgspec.json.encode(found))
        return draft.publish(rows=len(found.speakers), made_at=time.time())


def publish_for(cache: CacheDir, path: Path, *segments: Segment, **more: Any) -> str:
    """The same for a file that lies there; returns its hash_str."""
    hash_str = hash_media(str(path))
    publish(cache, hash_str, segments, **more)
    found = path.stat()
    cache.remember_path(hash_str, str(path), found.st_size, found.st_mtime_ns)
    return hash_str


def publish_captions(
    cache: CacheDir, hash_str: str, *tracks: CaptionTrack, warnings: tuple[str, ...] = ()
) -> Manifest:
    """What lies in the file itself."""
    with cache.draft(hash_str, Stage.CAPTIONS, "", "json", "1") as draft:
        draft.file.write(msgspec.json.encode(Captions(tracks=tracks)))
        rows = sum(len(track.segments) for track in tracks)
        return draft.publish(rows=rows, warnings=warnings, made_at=time.time())


def captioned(*cues: tuple[float, str, float], **more: Any) -> CaptionTrack:
    """A track; subtitles unless `more` says otherwise."""
    segments = tuple(CaptionSegment(*cue) for cue in cues)
    return CaptionTrack(**{"kind": "subtitles", "segments": segments, **more})
