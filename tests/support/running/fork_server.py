"""The fork server: it has imported our modules, so that a process forked from it starts at once.

It has opened nothing: no thread, no connection, no descriptor but its two sockets. The first
process serves a whole run. For each process that runs tests it forks a server, which forks what
that process starts, waits for it, and ends what still runs when its client has gone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import io
import json
import multiprocessing
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import workers.children

PRELOADED = (
    "api.app",
    "cli.main",
    "workers.start",
    "workers.watcher.service",
    "workers.models.load",
    "onnxruntime",
    "ctranslate2",
    "faster_whisper",
    "hdbscan",
)
DUMP_STACKS = signal.SIGUSR2  # a forked process writes the stacks of its threads to its stderr
LARGEST_REQUEST = 1 << 17
PID_SIZE = 8  # bytes, of a status pipe the first; the exit status follows
_STREAMS = 3


@dataclass(frozen=True)
class StartRequest:
    """What a forked process becomes; its streams and its status pipe come as descriptors.

    `words`: those of an interpreter, `-m MODULE …` or `-c PROGRAM …`, with `-P` before them where
    the working directory is not searched for modules.
    """

    words: list[str]
    cwd: str
    env: dict[str, str]

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def main(listener: socket.socket) -> None:
    """Serve until standard input, which only the run holds open, is closed."""
    for name in PRELOADED:
        importlib.import_module(name)
    _assert_nothing_is_open(listener.fileno())
    gc.collect()
    gc.freeze()  # else each process copies the memory in which objects are counted
    connection = _accept(listener)
    if connection is None:
        return
    request = _serve(connection)
    if request is not None:
        _become(request)


def _accept(listener: socket.socket) -> socket.socket | None:
    """Fork for every connection. Return it in the forked process, and None in the first."""
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if listener not in ready:
                return None
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                connection.send(b"%d" % os.getpid())
                return connection
            connection.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass


def _serve(connection: socket.socket) -> StartRequest | None:
    """Fork for every request. Return it in the forked process, and None when the client is gone."""
    statuses: dict[int, tuple[int, int]] = {}  # by pidfd: the process, and where its status goes
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not connection:
                    selector.unregister(key.fd)
                    _report_end(key.fd, *statuses.pop(key.fd))
                    continue
                message, descriptors, _, _ = socket.recv_fds(
                    connection, LARGEST_REQUEST, _STREAMS + 1
                )
                if not message:
                    _kill(pid for pid, _ in statuses.values())
                    return None
                status = descriptors.pop()
                pid = os.fork()
                if pid == 0:
                    connection.close()  # later, its number might be a descriptor of the program
                    _take_streams(descriptors)
                    return StartRequest(**json.loads(message))
                for descriptor in descriptors:
                    os.close(descriptor)
                os.write(status, b"%*d" % (PID_SIZE, pid))
                pidfd = os.pidfd_open(pid)
                statuses[pidfd] = (pid, status)
                selector.register(pidfd, selectors.EVENT_READ)


def _report_end(pidfd: int, pid: int, status: int) -> None:
    _, ended = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        os.write(status, b"%d" % os.waitstatus_to_exitcode(ended))
    os.close(status)
    os.close(pidfd)


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _take_streams(descriptors: list[int]) -> None:
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(_STREAMS, os.sysconf("SC_OPEN_MAX"))


def _become(request: StartRequest) -> None:
    """Run the program as an interpreter would."""
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    _open_streams(bool(request.env.get("PYTHONUNBUFFERED")))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    faulthandler.register(DUMP_STACKS, file=2, all_threads=True)
    _fork_its_children()
    words = list(request.words)
    del sys.path[0]
    if words[0] == "-P":
        del words[0]
    else:
        sys.path.insert(0, request.cwd if words[0] == "-m" else "")
    option, program, *arguments = words
    if option == "-m":
        sys.argv = [program, *arguments]
        sys.modules.pop(program, None)  # it runs as `__main__`
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [option, *arguments]
        sys.modules["__main__"] = module = types.ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), module.__dict__)


def _fork_its_children() -> None:
    """Let a worker fork its disposable children, too, from a process that imports the decoder once.

    The product starts an interpreter for each: a fork server's socket lies in the temporary folder,
    which systems clean.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["workers.query.grab", "workers.media.stills"])
    workers.children.start_context = context


def _open_streams(unbuffered: bool) -> None:
    """Open standard input, output and error again: what they lead to decides how they buffer."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old, is_input = getattr(sys, name), name == "stdin"
        buffering = 0 if unbuffered and not is_input else -1
        raw = open(number, "rb" if is_input else "wb", buffering, closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(
            raw,  # type: ignore[arg-type]
            encoding=old.encoding,
            errors=old.errors,
            line_buffering=os.isatty(number) or (name == "stderr" and not unbuffered),
            write_through=unbuffered,
        )
        setattr(sys, name, stream)


def _assert_nothing_is_open(listener: int) -> None:
    numbers = {int(name) for name in os.listdir("/proc/self/fd")}
    numbers = {number for number in numbers if Path(f"/proc/self/fd/{number}").exists()}
    numbers -= {0, 1, 2, listener}
    threads = len(os.listdir("/proc/self/task"))
    if numbers or threads > 1 or threading.active_count() > 1:
        raise SystemExit(f"The imports opened descriptors {sorted(numbers)} or threads: {threads}.")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
