"""Python processes of our own that tests start.

Within a test run a fork server starts them (see fork_server), except one in twenty, and those to
which the start itself matters: they are interpreters. Benchmarks start interpreters only.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.running.fork_server import DUMP_STACKS, PID_SIZE, StartRequest
from tests.support.waiting import wait_for

PROJECT = Path(__file__).resolve().parents[3]
_LARGEST_DUMP = 1 << 20
_ONE_IN = 20  # so many starts are an interpreter's
_READ_AT_START = ("PYTHON", "LD_", "MALLOC_", "OMP_", "OPENBLAS_", "MKL_")
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
_SAME_FOR_BOTH = ("PYTHONUNBUFFERED", "PYTHONFAULTHANDLER")


class ForkedProcess:
    """A process of the fork server: what the tests use of `subprocess.Popen`."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = os.fdopen(status, "rb", buffering=0)

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while the process runs."""
        return self._read_status(timeout_s=0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. Raises subprocess.TimeoutExpired."""
        status = self._read_status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _read_status(self, timeout_s: float | None) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._status, selectors.EVENT_READ)
                if selector.select(timeout_s):
                    # Nothing: its server was killed, and it with it.
                    self.returncode = int(self._status.read(32) or -signal.SIGKILL)
                    self._status.close()
        return self.returncode


PythonProcess = subprocess.Popen[bytes] | ForkedProcess


class ForkServer:
    """The fork server of a run, which ends with the process that made this object."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="rf-")  # a short path, as sockets need
        self.address = f"{self._folder}/s"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self.address)
            listener.listen()
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.support.running.fork_server", str(listener.fileno())],
                cwd=PROJECT,
                env=os.environ | _ENVIRONMENT,
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
        atexit.register(self.close)

    def close(self) -> None:
        atexit.unregister(self.close)
        self._server.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Starter:
    """Starts the processes of this process that runs tests."""

    def __init__(self) -> None:
        self.address: str | None = None  # of the server of the run, where one runs already
        self.is_on = False
        self.started: list[PythonProcess] = []
        self._connection: socket.socket | None = None
        self._owns_server = False
        self._server_pid: int | None = None
        self._lock = threading.Lock()
        self._test = ""
        self._count = 0

    def find_server(self) -> str:
        """Return its address; start it where this is the first use."""
        if self.address is None:
            self.address = ForkServer().address
            self._owns_server = True
        return self.address

    def server_pid(self) -> int | None:
        """Return the process that forks for us, unless it descends from this one."""
        if self._connection is None or self._owns_server:
            return None
        return self._server_pid

    def takes_turn_of_interpreter(self) -> bool:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" (")[0]
        self._count = self._count + 1 if test == self._test else 0
        self._test = test
        return zlib.crc32(f"{test} {self._count}".encode()) % _ONE_IN == 0

    def fork(self, request: StartRequest, streams: Sequence[int]) -> ForkedProcess:
        with self._lock:
            connection = self._connect()
            status, status_of_child = os.pipe()
            socket.send_fds(connection, [request.encode()], [*streams, status_of_child])
            os.close(status_of_child)
            pid = os.read(status, PID_SIZE)
        if not pid:
            raise RuntimeError("The fork server has ended; its error is printed above.")
        return ForkedProcess(int(pid), status)

    def _connect(self) -> socket.socket:
        if self._connection is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            connection.connect(self.find_server())
            self._server_pid = int(connection.recv(16))
            atexit.register(connection.close)
            self._connection = connection
        return self._connection


_starter = _Starter()


def use_fork_server(address: str | None = None) -> None:
    """Start processes by the fork server at that address, or by one that starts when needed."""
    _starter.is_on, _starter.address = True, address


def address_for_all() -> str:
    """Return the address of the fork server that serves all processes of a run of tests."""
    return _starter.find_server()


def takes_turn_of_interpreter() -> bool:
    """Return True for one start in twenty, which is the same one of a test in each run."""
    return _starter.takes_turn_of_interpreter()


def server_pid() -> int | None:
    """Return the process that forks for this one, unless it descends from it or is not needed."""
    return _starter.server_pid()


def start(
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path = PROJECT,
    stdin: int = subprocess.DEVNULL,
    stdout: int,
    stderr: int | None = None,
    under: Sequence[str] = (),
    interpreter: bool = False,
) -> PythonProcess:
    """Start Python with those words (`-m MODULE …` or `-c PROGRAM …`), in a session of its own.

    `stderr` is that of `stdout` where none is named. `under`: the words of a program that becomes
    Python. `interpreter`: never fork, because the start itself or the memory is tested.
    """
    settings = {**env, "PYTHONFAULTHANDLER": "1"}
    stderr = stdout if stderr is None else stderr
    process: PythonProcess
    if under or interpreter or not _can_fork(words, env) or _starter.takes_turn_of_interpreter():
        process = subprocess.Popen(
            # What a script has put into the background, or nohup started, ignores these.
            ["env", "--default-signal=INT,HUP", *under, sys.executable, *words],
            cwd=cwd,
            env=settings,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    else:
        with contextlib.ExitStack() as opened:
            if stdin == subprocess.DEVNULL:
                stdin = opened.enter_context(open(os.devnull)).fileno()
            request = StartRequest(list(words), str(cwd), settings)
            process = _starter.fork(request, [stdin, stdout, stderr])
    _starter.started = [one for one in _starter.started if one.poll() is None]
    _starter.started.append(process)
    return process


def run(
    words: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = PROJECT,
    stdin: bytes = b"",
    timeout_s: float = 60,
    interpreter: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run Python to its end and return its status, output and errors.

    Raises subprocess.TimeoutExpired once it has been killed.
    """
    given = dict(os.environ) if env is None else env
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        with _pipe_with(stdin) as reading:
            process = start(
                words,
                env=given,
                cwd=cwd,
                stdin=reading,
                stdout=output.fileno(),
                stderr=errors.fileno(),
                interpreter=interpreter,
            )
        try:
            status = process.wait(timeout_s)
        finally:
            if process.poll() is None:  # too late, or the test itself is ended
                print(f"{' '.join(words)} is killed:\n{_stacks_of(process)}")
                process.kill()
                process.wait()
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(os.fsdecode(file.read()))
    return subprocess.CompletedProcess([sys.executable, *words], status, *texts)


def stacks() -> str:
    """Return the stacks of the threads of every process that was started here and still runs.

    Interpreters end by it: they print their stacks only when they are aborted.
    """
    return "\n".join(_stacks_of(process) for process in _starter.started if process.poll() is None)


def _stacks_of(process: PythonProcess) -> str:
    try:
        with open(f"/proc/{process.pid}/fd/2", "rb") as log:  # also where the file has no name
            size = os.fstat(log.fileno()).st_size
            is_forked = isinstance(process, ForkedProcess)
            process.send_signal(DUMP_STACKS if is_forked else signal.SIGABRT)
            wait_for(lambda: _is_whole(log.fileno(), size), 2, "the stacks")
            text = os.pread(log.fileno(), _LARGEST_DUMP, size).decode(errors="replace")
    except (OSError, AssertionError) as error:
        text = f"no stacks: {error}"
    return f"---- process {process.pid}\n{text}"


def _is_whole(log: int, before: int) -> bool:
    """Return True once something was written, and then nothing more for a moment."""
    size = os.fstat(log).st_size
    with contextlib.suppress(AssertionError):
        wait_for(lambda: os.fstat(log).st_size > size, 0.05, "more of the stacks")
        return False
    return size > before


def _can_fork(words: Sequence[str], env: Mapping[str, str]) -> bool:
    """Return True where nothing is set that only an interpreter inherits, or reads at its start."""
    if not _starter.is_on or next(word for word in words if word != "-P") not in ("-m", "-c"):
        return False
    if _namespaces() != _OURS:
        return False
    return all(
        name in _SAME_FOR_BOTH or os.environ.get(name) == value
        for name, value in env.items()
        if name.startswith(_READ_AT_START)
    )


def _namespaces() -> list[str]:
    return [os.readlink(f"/proc/thread-self/ns/{kind}") for kind in ("mnt", "net", "uts")]


_OURS = _namespaces()  # a test may move itself to a machine of its own


@contextlib.contextmanager
def _pipe_with(text: bytes) -> Iterator[int]:
    """Yield the end of a pipe from which that is read. Its buffer holds 64 KiB at least."""
    reading, writing = os.pipe()
    try:
        os.write(writing, text)
        os.close(writing)
        yield reading
    finally:
        os.close(reading)
