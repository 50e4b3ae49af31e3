"""What an analysis would cost, before anybody begins it."""

from __future__ import annotations

import asyncio
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from api.browsing.answers import Estimate, EstimatedFiles
from api.browsing.bodies import EstimateBody
from api.browsing.looking import LyingFile
from api.browsing.standings import MODEL_OF, FileStanding, FileStandings
from api.browsing.walking import FolderWalk, Walked
from api.http.answers import counted
from api.http.concurrency import map_concurrently
from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from api.models.model_keys import active_key
from api.search.services import SearchServices
from api.tasks.progress import no_worker
from shared.domain import Probe, ProgressType, TaskKind, TaskState
from shared.errors import BadInput, NotAllowed, NoWorker, RedisAway, RushesError
from shared.ledger.ledger import MeasuredSpeed, Rates, Unit, WorkKind
from shared.ledger.records import STILLS_PER_ITEM, TaskRecord
from shared.media import MediaType
from shared.query.messages import Lane, ProbeFile
from shared.redis import heartbeats
from shared.rights import KeyScope

MOST_PROBED = 40
PROBES_FOR_S = 5.0
# The table "Cache" of docs/operate/sizing.md; of pictures what it says to reckon with.
PICTURE_BYTES_AN_HOUR = 100e6
SPEECH_BYTES_AN_HOUR = 1.6e6
STILL_BYTES = 100e6 / 3600  # as much as a picture of the grid
_LITTLE_S = 60.0  # of work that was measured
_NAMES = {ProgressType.VIDEO: "pictures", ProgressType.FACES: "faces", ProgressType.AUDIO: "speech"}
_PICTURES = (ProgressType.VIDEO, ProgressType.FACES)
_MOST_FILES = 200_000


@dataclass(frozen=True, slots=True)
class Length:
    """Seconds of pictures or sound, and of sound among them."""

    seconds: float
    sound_seconds: float


class Lengths(NamedTuple):
    """Lengths of media by path, as far as they can be told."""

    of: Mapping[str, Length]
    are_estimated: bool = False  # some of them, by size
    untold: int = 0  # of how many files nothing is known
    trouble: str = ""  # why nobody could be asked


async def lengths_of(
    services: CoreServices, files: Sequence[LyingFile], known: Mapping[str, Length]
) -> Lengths:
    """Of clips and sound: what is `known`, what some say when asked, and the rest by size."""
    unknown = [file for file in files if file.path not in known]
    if not unknown:
        return Lengths(known)
    sample = await run_in_threadpool(sample_of, unknown)
    probed, trouble = await _probe(services, sample)
    told = {**known, **{path: _length(probe) for path, probe in probed.items()}}
    return await run_in_threadpool(_with_estimates, files, told, trouble)


def _with_estimates(
    files: Sequence[LyingFile], told: Mapping[str, Length], trouble: str
) -> Lengths:
    """Estimate the lengths that nobody told by size, as those of the extension, else of all."""
    sums: dict[str, tuple[float, float, float]] = {}  # bytes, seconds, seconds of sound
    for file in files:
        if length := told.get(file.path):
            for name in (_extension(file), ""):
                size, seconds, sound = sums.get(name, (0.0, 0.0, 0.0))
                more = (size + file.size, seconds + length.seconds, sound + length.sound_seconds)
                sums[name] = more
    lengths, untold = dict(told), 0
    for file in files:
        size, seconds, sound = sums.get(_extension(file)) or sums.get("", (0.0, 0.0, 0.0))
        if file.path in told:
            continue
        if size:
            lengths[file.path] = Length(file.size * seconds / size, file.size * sound / size)
        else:
            untold += 1
    return Lengths(lengths, len(lengths) > len(told), untold, trouble)


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


async def _probe(
    services: CoreServices, files: Sequence[LyingFile]
) -> tuple[dict[str, Probe], str]:
    """Return what those say that answer in time, and why nobody could be asked."""
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
        return probed, error.message
    return probed, ""


def _length(probe: Probe) -> Length:
    seconds = probe.duration_seconds or 0.0
    return Length(seconds, seconds if probe.has_audio else 0.0)


def _extension(file: LyingFile) -> str:
    return os.path.splitext(file.path)[1].lower()


class ToDo(NamedTuple):
    """A file with the parts that are to be made of it; its length, if it has one that is known."""

    file: LyingFile
    parts: tuple[ProgressType, ...]
    length: Length | None


@dataclass(slots=True)
class Cost:
    """Of some files. `seconds` of one worker alone; None: nothing tells."""

    seconds: float | None = 0.0
    longest: float = 0.0  # of one file
    items: int = 0
    disk_bytes: float | None = 0.0
    measured: dict[WorkKind, MeasuredSpeed] = field(default_factory=dict)
    unmeasured: list[WorkKind] = field(default_factory=list)

    def with_workers(self, workers: int) -> float | None:
        """Seconds that it takes where so many work side by side."""
        at_once = min(workers, self.items)
        if self.seconds is None or not workers:
            return None
        return max(self.seconds / at_once, self.longest) if at_once else 0.0

    def basis(self) -> str:
        """What the seconds rest on, in words."""
        if self.unmeasured:
            names = " and ".join(dict.fromkeys(_in_words(kind) for kind in self.unmeasured))
            models = " and ".join(sorted({key for k in self.unmeasured for _, key in k.models}))
            return (
                f"How long {names} with {models} would take is not known: this server has not "
                "measured that yet. Analyze something first."
            )
        if not self.measured:
            return "There is nothing to do."
        told = ", ".join(_speed(kind, rate) for kind, rate in self.measured.items())
        little = min(rate.seconds for rate in self.measured.values())
        doubt = f" That is of {little:.0f} s of work only." if little < _LITTLE_S else ""
        return f"Measured on this server: {told}.{doubt}"


def cost_of(work: Iterable[ToDo], models: Mapping[ProgressType, str], rates: Rates) -> Cost:
    """Return what all of it costs together."""
    cost, stills = Cost(), 0
    kinds: dict[tuple[Unit, tuple[ProgressType, ...]], WorkKind] = {}
    for todo in work:
        is_still = todo.file.media_type is MediaType.IMAGE
        unit: Unit = "stills" if is_still else "footage"
        stills += is_still
        cost.items += not is_still
        of_file = 0.0
        for parts, amount, size in _passes(todo, is_still=is_still):
            if (kind := kinds.get((unit, parts))) is None:
                kind = kinds[unit, parts] = WorkKind.of(unit, {p: models[p] for p in parts})
            speed = _learn(cost, kind, rates)
            if amount is None or speed is None:
                cost.seconds = None
            else:
                of_file += amount / speed
            if amount is None or cost.disk_bytes is None:
                cost.disk_bytes = None
            else:
                cost.disk_bytes += amount * size
        if cost.seconds is not None:
            cost.seconds += of_file
            cost.longest = max(cost.longest, of_file)
    cost.items += math.ceil(stills / STILLS_PER_ITEM)
    return cost


def _passes(
    todo: ToDo, *, is_still: bool
) -> Iterator[tuple[tuple[ProgressType, ...], float | None, float]]:
    """Yield what is made of pictures together, then of sound: parts, amount, bytes for each."""
    pictures = tuple(part for part in todo.parts if part in _PICTURES)
    sound = tuple(part for part in todo.parts if part not in _PICTURES)
    seconds = None if todo.length is None else todo.length.seconds
    sound_seconds = None if todo.length is None else todo.length.sound_seconds
    if pictures and is_still:
        yield pictures, 1.0, STILL_BYTES
    elif pictures and seconds != 0:
        yield pictures, seconds, PICTURE_BYTES_AN_HOUR / 3600
    if sound and sound_seconds != 0:
        yield sound, sound_seconds, SPEECH_BYTES_AN_HOUR / 3600


def _learn(cost: Cost, kind: WorkKind, rates: Rates) -> float | None:
    if kind not in cost.measured and kind not in cost.unmeasured:
        # A still takes about as long as a second of footage, of which one picture is seen.
        if rate := rates.of(kind) or rates.of(kind._replace(unit="footage")):
            cost.measured[kind] = rate
        else:
            cost.unmeasured.append(kind)
    return cost.measured[kind].speed if kind in cost.measured else None


def _speed(kind: WorkKind, rate: MeasuredSpeed) -> str:
    speed = f"{rate.speed:.1f}" if rate.speed < 10 else f"{rate.speed:,.0f}"
    if kind.unit == "stills":
        return f"{_in_words(kind)} {speed} a second"
    return f"{_in_words(kind)} {speed} times as fast as the footage plays"


def _in_words(kind: WorkKind) -> str:
    parts = sorted({part for part, _ in kind.models}, key=list(_NAMES).index)
    names = " and ".join(_NAMES[part] for part in parts)
    return f"{names} of stills" if kind.unit == "stills" else names


@dataclass(frozen=True, slots=True)
class LineBefore:
    """Live analysis workers, and in words what is before a new analysis; None: nothing."""

    workers: int
    words: str | None


def line_before(services: CoreServices) -> LineBefore:
    """The line as it is now. Raises RedisAway."""
    workers = heartbeats.live(services.redis, services.settings.instance, "analysis")
    if reason := no_worker(services, TaskKind.ANALYZE):
        return LineBefore(0, reason.message)
    tasks = [one for _, one in services.task_lists.open() if one.kind is TaskKind.ANALYZE]
    waiting = [one for one in tasks if one.place is not None]
    running = services.ledger.holder()
    holder = next((one for one in tasks if one.task_id == running), None)
    return LineBefore(len(workers), _words(holder, len(waiting)))


def _words(holder: TaskRecord | None, waiting: int) -> str | None:
    if holder is None:
        return f"{counted(waiting, 'analysis task')} wait before it." if waiting else None
    owner = holder.sender.label or holder.sender.owner
    runs = f"Another analysis{f' of {owner}' if owner else ''} "
    runs += "is stopping" if holder.status is TaskState.STOPPING else "runs"
    if holder.eta_seconds is not None:
        runs += f", with about {_span(holder.eta_seconds)} left"
    return runs + (f"; {waiting} more wait." if waiting else ".")


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


@dataclass(slots=True)
class _Sorted:
    """The files of a request by what there is to do on them."""

    new: list[tuple[LyingFile, tuple[ProgressType, ...]]] = field(default_factory=list)
    known: dict[str, Length] = field(default_factory=dict)  # of these, by path
    analyzed: int = 0
    left_out: int = 0
    unusable: int = 0  # without any part that is asked for


async def estimate_analysis(call: Call[EstimateBody], services: SearchServices) -> Estimate:
    """Estimate an analysis.

    What /analyze would cost for these folders and files, by what this server has measured of
    its own work with the active models. Files that are analyzed are told by where they were
    seen: one that was moved counts as new. Lengths that are not known come from up to 40 of the
    files, by size. What was left out is not in the cost. Bytes of results go by the table of
    docs/operate/sizing.md.
    """
    body = call.body
    parts = _parts(body)
    cache_dir = services.paths.cache(body.cache_dir)
    walk = await run_in_threadpool(FolderWalk, services, body.paths, is_recursive=body.recursive)
    walked = await walk.files(_MOST_FILES, None, call.is_gone)
    if walked.next is not None and not walked.is_partial:
        shown = services.paths.back(walked.next, walk.like)
        walked.warn(f"Only the first {counted(_MOST_FILES, 'file')} are counted, up to {shown}.")
    files = await services.folders.run(cache_dir, _sort, services, cache_dir, parts, walked.files)
    clips = [file for file, _ in files.new if file.media_type is not MediaType.IMAGE]
    lengths = await lengths_of(services, clips, files.known)
    cost, line = await run_in_threadpool(_cost, services, parts, files, lengths)
    return _answer(walked, files, clips, lengths, cost, line)


def _parts(body: EstimateBody) -> tuple[ProgressType, ...]:
    asked = (
        (ProgressType.VIDEO, body.visual),
        (ProgressType.AUDIO, body.speech),
        (ProgressType.FACES, body.faces),
    )
    parts = tuple(part for part, is_asked in asked if is_asked)
    if not parts:
        raise BadInput("There is nothing to estimate: ask for visual, speech or faces.")
    return parts


def _sort(
    services: SearchServices,
    cache_dir: str,
    parts: tuple[ProgressType, ...],
    files: Sequence[LyingFile],
) -> _Sorted:
    standings = FileStandings.of(services, cache_dir, files, parts)
    facts = services.index.facts.snapshot(standings.view).files
    found = _Sorted()
    for file, standing in zip(files, standings.each(), strict=True):
        of_it = facts.get(standing.hash_str or "")
        if of_it and of_it.seconds is not None:
            sound = 0.0 if of_it.sound is False else of_it.seconds
            found.known[file.path] = Length(of_it.seconds, sound)
        is_silent = of_it is not None and of_it.sound is False
        _count(file, standing, found, is_silent=is_silent)
    return found


def _count(file: LyingFile, standing: FileStanding, found: _Sorted, *, is_silent: bool) -> None:
    states = {
        part: state
        for part, state in standing.states.items()
        if not (is_silent and part is ProgressType.AUDIO)
    }
    missing = tuple(part for part, state in states.items() if state != "analyzed")
    if not standing.states:
        found.unusable += 1
    elif not missing:
        found.analyzed += 1
    elif any(states[part] == "left_out" for part in missing):
        found.left_out += 1
    else:
        found.new.append((file, missing))


def _cost(
    services: SearchServices, parts: tuple[ProgressType, ...], files: _Sorted, lengths: Lengths
) -> tuple[Cost, LineBefore]:
    models = {part: active_key(services, MODEL_OF[part]) for part in parts}
    rates = Rates.read(services.redis, services.settings.instance)
    work = [ToDo(file, missing, lengths.of.get(file.path)) for file, missing in files.new]
    return cost_of(work, models, rates), line_before(services)


def _answer(
    walked: Walked,
    files: _Sorted,
    clips: Sequence[LyingFile],
    lengths: Lengths,
    cost: Cost,
    line: LineBefore,
) -> Estimate:
    told = [lengths.of.get(clip.path) for clip in clips]
    hours = None if None in told else sum(of_it.seconds for of_it in told if of_it) / 3600
    seconds = cost.with_workers(line.workers)
    return Estimate(
        files=EstimatedFiles(
            total=len(walked.files) - files.unusable,
            new=len(files.new),
            analyzed=files.analyzed,
            left_out=files.left_out,
            unsupported=walked.unsupported + files.unusable,
        ),
        bytes=sum(file.size for file, _ in files.new),
        hours=None if hours is None else round(hours, 4),
        hours_are="estimated" if lengths.are_estimated else "known",
        seconds=None if seconds is None else round(seconds, 1),
        disk_bytes=None if cost.disk_bytes is None else round(cost.disk_bytes),
        basis=_basis(cost, lengths, line),
        waits=line.words,
        is_partial=walked.is_partial,
        warnings=walked.warnings,
    )


def _basis(cost: Cost, lengths: Lengths, line: LineBefore) -> str:
    if lengths.untold:
        why = lengths.trouble or "none of those that were asked has told it in time."
        return f"How long {counted(lengths.untold, 'file')} may be is not known: {why}"
    basis = cost.basis()
    if cost.seconds is None or not cost.measured:
        return basis
    if not line.workers:
        return f"{basis} No analysis worker runs now."
    runs = "1 worker runs" if line.workers == 1 else f"{line.workers} workers run"
    return f"{basis} {runs} now."


ENDPOINTS = (
    Endpoint(
        "POST /analyze/estimate",
        estimate_analysis,
        "Analysis",
        KeyScope.ANALYZE,
        errors={
            BadInput: "paths[0]: there is neither a folder nor a file /footage/day9 on the server.",
            NotAllowed: "paths[0]: /etc lies outside the folders in RUSHES_MEDIA_ROOTS.",
        },
    ),
)
