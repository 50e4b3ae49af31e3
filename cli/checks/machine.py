"""Checks of the machine: Python, redis-server, and the limits that the system sets."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from cli.checks.finding import Finding, fine, problem, warning
from cli.processes import redis_binary
from shared.errors import SettingsError
from shared.process import machine
from shared.settings import Settings

_PYTHONS = ((3, 11), (3, 14))  # from, to before
_OPEN_FILES = 4096  # what a worker asks for
_INOTIFY = Path("/proc/sys/fs/inotify")
_WATCHES, _INSTANCES = 65_536, 128
_THREADS_A_CORE = 2


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
