"""Word errors and CPU time of transcripts, against faster-whisper's own pipelines; memory.

    python -m benchmarks.speech [FILES]        default: 50 files for the memory

Speech by four voices of espeak-ng and by three with breath, sentences of names and numbers, five
recorded sentences (LibriVox), all with pauses. The way is the worker's: a file with an AAC track
is opened, decoded, cut into windows, heard and judged; the peers decode the same file. CPU
seconds count all threads, for a minute of sound. Needs the network once.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from faster_whisper import BatchedInferencePipeline, WhisperModel

from benchmarks import describe
from shared.models.model_catalogue import find
from shared.settings import Settings
from tests.quality.transcripts.speech_material import (
    NAMES_AND_NUMBERS,
    PLAIN,
    VOICES,
    hear_file,
    passage,
)
from tests.support.media.sounds import SoundEncoding, write_sounds
from tests.support.media.speech import RATE, Said, recorded_speech, together
from tests.support.search.word_errors import WordErrors, word_errors
from workers.models.load import load_speech
from workers.models.protocols import Transcriber
from workers.models.weights.pull import pull

BREATHING = ("en-us+f2", "en-us+f3", "en-us+f4")
BATCH = 8
Way = Callable[[Path], str]


@dataclass(slots=True)
class Result:
    errors: dict[str, WordErrors] = field(default_factory=dict)
    cpu_s: float = 0.0
    sound_s: float = 0.0

    @property
    def cost(self) -> float:
        """CPU seconds for a minute of sound."""
        return self.cpu_s / self.sound_s * 60


def material() -> list[tuple[str, Said]]:
    """Kind and speech, about twelve minutes."""
    found = [("four voices", passage(PLAIN, voice)) for voice in VOICES]
    found += [("names, numbers", passage(NAMES_AND_NUMBERS, voice)) for voice in VOICES]
    found += [("with breath", passage(PLAIN, voice)) for voice in BREATHING]
    pauses = (0.8, 3.0)
    found += [
        ("recorded", together(part for said in recorded_speech() for part in (said, pause)))
        for pause in pauses
    ]
    return found


def model(key: str, batch_size: int = 1) -> Transcriber:
    settings = Settings.from_env()
    spec = find(settings, key)
    pull(settings, spec)
    loaded = load_speech(settings, spec)
    loaded.batch_size = batch_size  # type: ignore[misc]
    return loaded


def rushes(transcriber: Transcriber) -> Way:
    return lambda path: hear_file(path, transcriber, "en").text


def peer(key: str, *, batched: bool) -> Way:
    """faster-whisper with its voice detector and word times, as its README shows."""
    folder = Settings.from_env().weights_dir / key
    whisper = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)
    if batched:
        pipeline = BatchedInferencePipeline(whisper)
        return lambda path: _text(
            pipeline.transcribe(str(path), language="en", batch_size=BATCH, word_timestamps=True)[0]
        )
    return lambda path: _text(
        whisper.transcribe(str(path), language="en", vad_filter=True, word_timestamps=True)[0]
    )


def _text(segments: object) -> str:
    return " ".join(segment.text for segment in segments)  # type: ignore[attr-defined]


def measure(way: Way, sounds: list[tuple[str, Said, Path]]) -> Result:
    result = Result()
    way(sounds[-1][2])  # warm up
    for kind, said, path in sounds:
        before = time.process_time()
        text = way(path)
        result.cpu_s += time.process_time() - before
        result.sound_s += said.seconds
        errors = word_errors(said.text, text)
        result.errors[kind] = result.errors.get(kind, WordErrors(0, 0)) + errors
    return result


def save(said: Said, path: Path) -> Path:
    how = SoundEncoding(codec="aac", options={"b": "96000"}, pictures_at=[0.0])
    return write_sounds(path, [said.pcm], rate=RATE, encoding=how)


def memory(transcriber: Transcriber, count: int, folder: Path) -> None:
    """Resident memory of this process over many files of about 15 s."""
    files = []
    for number in range(5):
        said = passage(PLAIN[number : number + 3], VOICES[number % len(VOICES)])
        files.append(save(said, folder / f"short {number}.mp4"))
    held = []
    for number in range(count):
        hear_file(files[number % len(files)], transcriber, "en")
        held.append(_resident_mb())
    early, late = held[min(9, count - 1)], held[-1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"\nmemory over {count} files: {early} MB after the tenth, {late} MB after the last "
        f"({late - early:+d}); peak of the process {peak} MB"
    )


def _resident_mb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    print(describe())
    with tempfile.TemporaryDirectory(prefix="rushes-speech-") as scratch:
        folder = Path(scratch)
        sounds = [
            (kind, said, save(said, folder / f"{number}.mp4"))
            for number, (kind, said) in enumerate(material())
        ]
        base = model("whisper-base")
        memory(base, count, folder)
        ways = {
            "Rushes, whisper-base": rushes(base),
            f"Rushes, whisper-base, {BATCH} at once": rushes(model("whisper-base", BATCH)),
            "Rushes, whisper-tiny.en": rushes(model("whisper-tiny.en")),
            "faster-whisper, base": peer("whisper-base", batched=False),
            f"faster-whisper, base, {BATCH} at once": peer("whisper-base", batched=True),
            "faster-whisper, tiny.en": peer("whisper-tiny.en", batched=False),
        }
        results = {name: measure(way, sounds) for name, way in ways.items()}
    table(results)
    print(f"\nafter: {describe()}")
    return 0


def table(results: dict[str, Result]) -> None:
    kinds = list(next(iter(results.values())).errors)
    print(f"\n| word error rate, % | {' | '.join(kinds)} | CPU s a minute | times real time |")
    print("| --- |" + " --- |" * (len(kinds) + 2))
    for name, result in results.items():
        rates = " | ".join(f"{100 * result.errors[kind].rate:.1f}" for kind in kinds)
        print(f"| {name} | {rates} | {result.cost:.1f} | {60 / result.cost:.0f} |")
    ours, batched, tiny, theirs, their_batched, their_tiny = results.values()
    print(
        f"\nCPU time, ours : faster-whisper's: {ours.cost / theirs.cost:.2f} one by one, "
        f"{batched.cost / their_batched.cost:.2f} batched, {tiny.cost / their_tiny.cost:.2f} "
        f"tiny.en; ours batched : one by one {batched.cost / ours.cost:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
