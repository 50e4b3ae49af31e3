"""All checks, side by side: none keeps another from being made, whatever becomes of it."""

from __future__ import annotations

import resource
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cli.checks import folders, libraries, models, redis_server, server
from cli.checks.finding import Finding, fine, in_thread, problem, warning, within
from cli.processes import private_redis, redis_binary
from shared.cache import transcripts
from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import Artefact, FollowState, Seen
from shared.domain import Stage
from shared.errors import RedisAway, RushesError, SettingsError
from shared.ledger.analysis_files import AnalysisFiles
from shared.ledger.reading import LedgerReader
from shared.models.speech_and_faces import REMOVED, say_removed
from shared.paths import Roots
from shared.people.collection import Collection
from shared.process import machine, traces
from shared.redis.clients import connect
from shared.redis.known_folders import KnownFolders
from shared.settings import Settings
from shared.watch.folders import WatchFolders

_CURES = {
    "model": "fetch it on a machine that has workers",
    "root": "mount it on a machine that has workers",
    "worker": "start one",
}

_EXTRAS = "extras"
Check = Callable[[], Iterable[Finding]]
ENDS_WITHIN_S = 25.0
_IMPORTS_END_WITHIN_S = 75.0  # one extra may take 60 on a slow disk
_PYTHONS = ((3, 11), (3, 14))  # from, to before
_OPEN_FILES = 4096  # what a worker asks for
_INOTIFY = Path("/proc/sys/fs/inotify")
_WATCHES, _INSTANCES = 65_536, 128
_THREADS_A_CORE = 2
_LOOKS_FOR_S = 15.0  # at all folders; the report itself ends soon after
_MOST_PATHS = 20  # in the command


def look_at_everything(environ: Mapping[str, str]) -> list[Finding]:
    """Findings of all checks, in a fixed order. Goes on with what can be read of wrong settings."""
    settings, wrong = Settings.read(environ)
    checks: dict[str, Check] = {
        "settings": lambda: _settings(settings, wrong),
        "Python": lambda: [python_version()],
        _EXTRAS: lambda: _libraries(settings),
        "redis-server": lambda: server_binary(settings),
        "Redis": lambda: _redis(settings),
        "server": lambda: server.server(settings),
        "tasks": lambda: parked(settings, _redis_url(settings)),
        "transcripts": lambda: with_folder_names(settings, _redis_url(settings)),
        "people": lambda: of_removed_face_models(settings, _redis_url(settings)),
        "keys": lambda: server.keys(settings, _redis_url(settings)),
        "state": lambda: [folders.state_dir(settings)],
        "roots": lambda: folders.roots(settings),
        "mounts": lambda: folders.mounts(settings),
        "paths": lambda: folders.path_map(settings),
        "disk space": lambda: folders.disk_space(settings),
        "models": lambda: models.weights(settings, is_worker=_runs_workers(settings)),
        "analysis workers": lambda: _analysis_workers(settings),
        "open files": lambda: [open_files()],
        "inotify": inotify,
    }
    return side_by_side(checks)


def side_by_side(checks: Mapping[str, Check]) -> list[Finding]:
    """Findings in the order of `checks`; a check that fails or hangs is a problem itself."""
    began = time.monotonic()
    results = {name: in_thread(partial(_make, name, check)) for name, check in checks.items()}
    found: list[Finding] = []
    for name, result in results.items():
        allowed = _IMPORTS_END_WITHIN_S if name == _EXTRAS else ENDS_WITHIN_S
        try:
            found += result.result(max(0.0, began + allowed - time.monotonic()))
        except TimeoutError:
            cure = "see whether a file server is away"
            found.append(problem(name, "this gave no answer in time", cure))
    return found


def _make(name: str, check: Check) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 (one check that fails must not hide the others)
        message = f"this could not be looked at ({type(error).__name__}: {error})"
        return [problem(name, message, "report this as a fault of `rushes doctor`")]


def _settings(settings: Settings, wrong: list[str]) -> Iterable[Finding]:
    for sentence in wrong:
        yield problem("settings", sentence.rstrip("."), "correct it, or unset it for its default")
    try:
        traces.check(settings)
    except SettingsError as error:
        yield problem("settings", error.message.rstrip("."), "install it, or unset the endpoint")
    if not wrong:
        yield fine("settings", "all names and values are understood")


def _libraries(settings: Settings) -> Iterable[Finding]:
    """Findings on the extras, and on the device they see where this machine can run workers."""
    needed = models.extras_needed(settings) if _runs_workers(settings) else set()
    if settings.redis_url is None:  # this machine is to do everything
        needed |= {"worker", "lite"}
    found = libraries.look(needed)
    yield from libraries.findings(found, needed)
    if not found.missing & {"onnxruntime", "ctranslate2"}:
        yield from models.device(settings, found)


def _analysis_workers(settings: Settings) -> Iterable[Finding]:
    return analysis_workers(settings) if _runs_workers(settings) else []


def _runs_workers(settings: Settings) -> bool:
    """Whether this machine can run workers: with the API alone it has no decoder."""
    return settings.redis_url is None or libraries.is_installed("av")


def _redis_url(settings: Settings) -> str | None:
    return settings.redis_url or private_redis.running_url(settings)


def _redis(settings: Settings) -> Iterable[Finding]:
    url = _redis_url(settings)
    if url is None:
        yield fine("Redis", "none runs now; `rushes up` starts a private one")
        return
    try:
        yield from redis_server.examine(url)
    except redis_server.Away as error:
        cure = "start it, look into its log, or correct RUSHES_REDIS_URL"
        yield problem("Redis", f"it cannot be used now ({error})", cure)
        return
    yield from redis_server.clock(url)


def parked(settings: Settings, redis_url: str | None) -> Iterator[Finding]:
    """A warning for each Task that nobody can go on with, with its own reason."""
    if redis_url is None:
        return
    with connect(redis_url) as client:
        ledger = LedgerReader(client, settings.instance)
        try:
            for task_id, reasons in ledger.parked().items():
                record = ledger.record(task_id)
                whose = (record.sender.label or record.sender.owner) if record else ""
                for reason in reasons:
                    message = f"task {task_id[:8]} of {whose or 'no name'} waits: {reason.message}"
                    yield warning("tasks", message.rstrip("."), _CURES[reason.code])
        except RedisAway:
            return  # said where Redis is looked at


def python_version() -> Finding:
    first, after = _PYTHONS
    found = sys.version.split()[0]
    if first <= sys.version_info[:2] < after:
        return fine("Python", f"{found} ({sys.executable})")
    return problem("Python", f"this is {found}", "install Rushes with Python 3.11 to 3.13")


def server_binary(settings: Settings) -> Iterator[Finding]:
    """Finding on the binary of the private Redis, where one is needed."""
    if settings.redis_url is not None:
        return
    try:
        found = redis_binary.find()
    except SettingsError as error:
        message, _, cure = error.message.partition(": ")
        yield problem("redis-server", message, cure.rstrip("."))
    else:
        version = ".".join(map(str, redis_binary.version(found)))
        yield fine("redis-server", f"{found}, version {version}, for the private Redis")


def analysis_workers(settings: Settings) -> Iterator[Finding]:
    """Findings on the number of analysis workers and of their threads, and why it is that."""
    subject = "analysis workers"
    here = machine.this_machine(settings)
    workers = machine.analysis_workers(settings)
    threads = workers * machine.decode_threads(settings, workers)
    if threads > _THREADS_A_CORE * here.cores:
        message = f"they have {threads} decode threads together, and there are {here}"
        cure = "set RUSHES_DECODE_THREADS, or RUSHES_WORKERS, lower, or leave them unset"
        yield warning(subject, message, cure)
    if workers > max(1, here.room()):
        wanted = machine.in_gb(workers * machine.WORKER_BYTES)
        message = f"{workers} of them want {wanted} of memory, and there are {here}"
        yield warning(subject, message, "set RUSHES_WORKERS lower, or leave it unset")
    yield fine(subject, machine.in_words(settings))


def open_files() -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= _OPEN_FILES:
        shown = "any number of" if hard == resource.RLIM_INFINITY else f"{hard:,}"
        return fine("open files", f"a process may open {shown} files")
    message = f"a process may open {hard:,} files only, and a worker needs {_OPEN_FILES:,}"
    cure = f"raise the limit (`ulimit -Hn {_OPEN_FILES}`, LimitNOFILE= in a systemd unit)"
    return warning("open files", message, cure)


def inotify() -> Iterator[Finding]:
    """Finding on how many folders the system lets the watcher be told of; Linux only."""
    for name, least, what in (
        ("max_user_watches", _WATCHES, "folders may be watched without polling"),
        ("max_user_instances", _INSTANCES, "programs of one user may watch folders"),
    ):
        try:
            allowed = int((_INOTIFY / name).read_text())
        except (OSError, ValueError):
            continue
        message = f"{allowed:,} {what}"
        if allowed < least:
            yield warning("inotify", message, f"run `sysctl -w fs.inotify.{name}={4 * least}`")
        else:
            yield fine("inotify", message)


def with_folder_names(
    settings: Settings, redis_url: str | None, limit_s: float = _LOOKS_FOR_S
) -> Iterator[Finding]:
    """A warning for each known cache folder and model with such transcripts, with the command."""
    unread = 0
    for folder, by_model, is_whole in _look_into_each(settings, redis_url, limit_s, _collect):
        unread += not is_whole
        for model, paths in by_model.items():
            count = f"{'' if is_whole else 'at least '}{len(paths):,}"
            yield warning(
                "transcripts",
                f"{folder} has transcripts (files: {count}) by a version that gave the "
                "speech model names of folders, which can cost full stops, words and sentences",
                _cure(folder, model, sorted(set(paths))),
            )
    if unread:
        yield warning(
            "transcripts",
            f"the transcripts of {unread} cache folders were not all examined in {limit_s:g} s",
            "run this again when the machine and its file servers have less to do",
        )


def of_removed_face_models(
    settings: Settings, redis_url: str | None, limit_s: float = _LOOKS_FOR_S
) -> Iterator[Finding]:
    """Yield a warning for each collection whose face model this version no longer has."""
    for folder, collections, _ in _look_into_each(settings, redis_url, limit_s, _collect_models):
        for name, model in collections.items():
            if model in REMOVED:
                yield warning(
                    "people",
                    f"the collection {name!r} in {folder} was made with {model}",
                    say_removed(model, shlex.quote(name)),
                )


def _look_into_each(
    settings: Settings, redis_url: str | None, limit_s: float, collect: Callable[..., bool]
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield each cache folder with what was collected of it, and whether that is all."""
    until = time.monotonic() + limit_s
    for folder in _cache_dirs(settings, redis_url):
        found: dict[str, Any] = {}
        look = partial(collect, found, folder, Roots.cache(settings), until)
        try:
            is_whole = within(max(0.0, until - time.monotonic()), look)
        except TimeoutError:  # the folder hangs
            is_whole = False
        except RushesError:  # whoever searches there is told
            continue
        yield folder, dict(found), is_whole


def _collect_models(models: dict[str, str], folder: str, roots: Roots, _until: float) -> bool:
    """Add the face model of each collection, by its name. Return True."""
    cache = CacheDir.open(folder, roots, create=False)
    for name in Collection.all_names(cache.root):
        models[name] = Collection.open(cache.root, name, create=False).members().model
    return True


def _cache_dirs(settings: Settings, redis_url: str | None) -> list[str]:
    try:
        with connect(redis_url or "") as client:
            known = KnownFolders(client, settings.instance, settings.state_dir).all()
            watched = WatchFolders(client, settings.instance, settings.state_dir).all()
            analyzed = AnalysisFiles(client, settings.instance).cache_dirs()
    except (RushesError, ValueError):  # said where Redis is looked at
        return []
    return sorted({*known, *analyzed, *(folder.cache_dir for folder in watched)})


def _collect(by_model: dict[str, set[str]], folder: str, roots: Roots, until: float) -> bool:
    """Add where files of such transcripts were seen last. Return False if time ran out."""
    cache = CacheDir.open(folder, roots, create=False)
    entries = cache.catalogue.follow(FollowState()).entries
    seen = {entry.hash_str: entry.path for entry in entries if isinstance(entry, Seen)}
    for entry in entries:
        if isinstance(entry, Artefact) and entry.stage is Stage.TRANSCRIPT and entry.rows:
            if time.monotonic() > until:
                return False
            manifest = cache.manifest(entry.hash_str, entry.stage, entry.model)
            if manifest and entry.hash_str in seen and transcripts.has_folder_names(manifest):
                by_model.setdefault(entry.model, set()).add(seen[entry.hash_str])
    return True


def _cure(folder: str, model: str, paths: list[str]) -> str:
    how = ("--no-visual", "--force", "--speech-model", model, "--cache", folder)
    command = shlex.join(("rushes", "analyze", *paths[:_MOST_PATHS], *how))
    rest = len(paths) - _MOST_PATHS
    again = f", and run `rushes doctor` again for the other {rest:,}" if rest > 0 else ""
    return f"make them again with `{command}`{again}"
