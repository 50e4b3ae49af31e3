"""What an analysis would cost, before anybody begins it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from api.browsing.answers import Estimate, EstimatedFiles
from api.browsing.bodies import EstimateBody
from api.browsing.costs import Cost, ToDo, cost_of
from api.browsing.lengths import Length, Lengths, lengths_of
from api.browsing.looking import LyingFile
from api.browsing.standings import MODEL_OF, FileStanding, FileStandings
from api.browsing.walking import FolderWalk, Walked
from api.http.answers import counted
from api.http.endpoint import Call, Endpoint
from api.http.services import CoreServices
from api.models.model_keys import active_key
from api.search.services import SearchServices
from api.tasks.progress import no_worker
from shared.domain import ProgressType, TaskKind, TaskState
from shared.errors import BadInput, NotAllowed
from shared.ledger.ledger import Rates
from shared.ledger.records import TaskRecord
from shared.media import MediaType
from shared.redis import heartbeats
from shared.rights import KeyScope


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


_MOST_FILES = 200_000


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
    files, by size. What was left out is not in the cost. Bytes of results go by docs/sizing.md.
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
