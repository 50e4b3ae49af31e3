"""How long media are that nobody has analyzed yet: some are probed, and the rest goes by size."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from api.browsing.looking import LyingFile
from api.http.concurrency import map_concurrently
from api.http.services import CoreServices
from shared.domain import Probe
from shared.errors import NoWorker, RedisAway, RushesError
from shared.query.messages import Lane, ProbeFile

MOST_PROBED = 40
PROBES_FOR_S = 5.0


@dataclass(frozen=True, slots=True)
class Length:
    """Seconds of pictures or sound, and of sound among them."""

    seconds: float
    sound_seconds: float


@dataclass(slots=True)
class Lengths:
    """Of media by path, as far as they can be told."""

    known: dict[str, Length] = field(default_factory=dict)
    estimated: dict[str, Length] = field(default_factory=dict)
    untold: int = 0  # of how many files nothing is known
    trouble: str = ""  # why nobody could be asked

    def of(self, path: str) -> Length | None:
        return self.known.get(path) or self.estimated.get(path)


async def lengths_of(
    services: CoreServices, files: Sequence[LyingFile], known: Mapping[str, Length]
) -> Lengths:
    """Of clips and sound: what is `known`, what some say when asked, and the rest by size."""
    found = Lengths(known=dict(known))
    unknown = [file for file in files if file.path not in known]
    if not unknown:
        return found
    sample = await run_in_threadpool(sample_of, unknown)
    probed = await _probe(services, sample, found)
    found.known |= {path: _length(probe) for path, probe in probed.items()}
    await run_in_threadpool(_estimate, found, files)
    return found


def _estimate(found: Lengths, files: Sequence[LyingFile]) -> None:
    """Estimate the lengths that are not known by the sizes of files."""
    pace = _Pace((file, found.known[file.path]) for file in files if file.path in found.known)
    for file in files:
        if file.path in found.known:
            continue
        if length := pace.length_of(file):
            found.estimated[file.path] = length
        else:
            found.untold += 1


def sample_of(files: Sequence[LyingFile], most: int = MOST_PROBED) -> list[LyingFile]:
    """A sample of files: of each extension by its share of the bytes, small and large ones."""
    if len(files) <= most:
        return list(files)
    groups: dict[str, list[LyingFile]] = defaultdict(list)
    for file in sorted(files, key=lambda file: (file.size, file.path)):
        groups[_extension(file)].append(file)
    total = sum(file.size for file in files) or 1
    chosen: list[LyingFile] = []
    for group in sorted(groups.values(), key=lambda of_it: -sum(file.size for file in of_it)):
        share = round(most * sum(file.size for file in group) / total)
        number = min(len(group), max(1, share), most - len(chosen))
        chosen += [group[int((n + 0.5) * len(group) / number)] for n in range(number)]
    return chosen


class _Pace:
    """Seconds a byte, by extension and of all together."""

    def __init__(self, measured: Iterable[tuple[LyingFile, Length]]) -> None:
        self._sums: dict[str, tuple[float, float, float]] = {}  # bytes, seconds, of sound
        for file, length in measured:
            for name in (_extension(file), ""):
                size, seconds, sound = self._sums.get(name, (0.0, 0.0, 0.0))
                more = (size + file.size, seconds + length.seconds, sound + length.sound_seconds)
                self._sums[name] = more

    def length_of(self, file: LyingFile) -> Length | None:
        """Length of a file by its size; None where no file told anything."""
        size, seconds, sound = self._sums.get(_extension(file)) or self._sums.get("", (0, 0, 0))
        if not size:
            return None
        return Length(file.size * seconds / size, file.size * sound / size)


async def _probe(
    services: CoreServices, files: Sequence[LyingFile], found: Lengths
) -> dict[str, Probe]:
    """What those say that answer in time."""
    probed: dict[str, Probe] = {}

    async def ask(file: LyingFile) -> None:
        question = ProbeFile(path=file.path, roots=services.paths.key_roots)
        try:
            probed[file.path] = await services.query_client.ask(Lane.PROBE, question)
        except (NoWorker, RedisAway):
            raise
        except RushesError:  # this file is damaged: others tell more
            return

    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(PROBES_FOR_S):
                await map_concurrently(ask, files)
    except (NoWorker, RedisAway) as error:
        found.trouble = error.message
    return probed


def _length(probe: Probe) -> Length:
    seconds = probe.duration_seconds or 0.0
    return Length(seconds, seconds if probe.has_audio else 0.0)


def _extension(file: LyingFile) -> str:
    return os.path.splitext(file.path)[1].lower()
