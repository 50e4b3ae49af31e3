"""The private Redis of `rushes up`: one process that starts redis-server and stays beside it.

`python -m cli.processes.private_redis` first ends a Redis that an earlier run left, then starts one
on STATE_DIR/redis, mends its append-only file when a crash broke it, and ends when it gets
SIGTERM, when its parent is gone, or when redis-server ends.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import redis

from cli.processes import redis_binary
from shared.errors import RedisAway, SettingsError
from shared.ledger.ledger import Ledger
from shared.private_files import make_private, private, publish
from shared.process import logs
from shared.process.ending import watch_parent
from shared.process.process_mark import lives
from shared.redis.clients import connect, connect_blocking
from shared.settings import Settings

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0  # a large append-only file takes a while to load
STOP_TIMEOUT_S = 8.0  # the supervisor kills after 10
_LOOK_EVERY_S = 0.2  # whether redis-server has ended
_LONGEST_SOCKET_PATH = 100  # the kernel's limit is 104 to 108 bytes
_NOTE = "socket"
_PID_FILE = "redis.pid"
_LOG_FILE = "redis.log"
LOST = (
    "The append-only file of Redis was damaged, and what came after the damage is lost. What was "
    "finished stays; start the rest again."
)
# What redis-server says of a broken one. A wrong length in its middle reads like a cut end.
IS_BROKEN = re.compile("(Bad file format|Unexpected end of file) reading the append only file")
# What redis-check-aof says of each file; Redis 7 and newer have several, and name them.
_ANALYZED = re.compile(r"AOF analyzed: (?:filename=(.+?), )?size=(\d+), ok_up_to=(\d+)")
_END_OF_A_CHANGE = b"*1\r\n$4\r\nEXEC\r\n"  # scripts and transactions are written so


def data_dir(settings: Settings) -> Path:
    return settings.state_dir / "redis"


def make_socket_path(data: Path) -> Path:
    """Path for a socket in a new short folder of this user alone, noted in `data`."""
    make_private(data)
    folder = tempfile.mkdtemp(prefix="rushes-")
    if len(os.fsencode(folder)) > _LONGEST_SOCKET_PATH - len("/redis.sock"):
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="rushes-", dir="/tmp")
    socket = Path(folder) / "redis.sock"
    publish(data / _NOTE, str(socket).encode())
    return socket


def url_of(socket: Path) -> str:
    return f"unix://{urllib.parse.quote(str(socket))}"


def running_url(settings: Settings) -> str | None:
    """URL of the private Redis that `rushes up` runs on this STATE_DIR, if it does."""
    socket = _noted_socket(data_dir(settings))
    return url_of(socket) if socket is not None and _answers(socket) else None


def remove_socket(data: Path) -> None:
    """Forget the socket and remove its folder, once nothing uses it."""
    socket = _noted_socket(data)
    if socket is not None:
        shutil.rmtree(socket.parent, ignore_errors=True)
        (data / _NOTE).unlink(missing_ok=True)


def end_left_behind(data: Path) -> None:
    """Shut down the Redis that still uses `data`, if there is one and it is ours."""
    socket = _noted_socket(data)
    if socket is None:
        return
    with (
        contextlib.suppress(redis.RedisError),
        connect(url_of(socket), kind=redis.Redis) as client,  # whose shutdown expects its errors
    ):
        if os.path.realpath(str(client.config_get("dir")["dir"])) != os.path.realpath(data):
            raise SettingsError(f"Another Redis listens on {socket}; it is not ours: stop it.")
        pid = int(client.info("server")["process_id"])
        log.warning("ending the Redis that an earlier run left behind (process %d)", pid)
        client.shutdown()
        _wait_until(lambda: not lives(pid), STOP_TIMEOUT_S)
    noted = _read(data / _PID_FILE)
    silent = int(noted) if noted.isdecimal() else 0
    if silent and lives(silent) and _is_redis_on(silent, socket):
        log.warning("killing the silent Redis that an earlier run left behind (%d)", silent)
        os.kill(silent, signal.SIGKILL)
        _wait_until(lambda: not lives(silent), STOP_TIMEOUT_S)
    (data / _PID_FILE).unlink(missing_ok=True)


def start(data: Path, socket: Path, instance: str) -> subprocess.Popen[bytes]:
    """Start redis-server: loaded and answering; a broken append-only file is mended.

    Where that brought back an earlier state, the Tasks of `instance` that were open then fail: some
    of them have ended since.
    """
    binary = redis_binary.find()
    while True:
        if lost_changes(data).exists():
            _fail_open_tasks(binary, data, socket, instance)
        elif process := _start_or_mend(binary, data, socket):
            return process


def _start_or_mend(binary: Path, data: Path, socket: Path) -> subprocess.Popen[bytes] | None:
    """redis-server, ready; None: its file was broken and has been cut, so try again."""
    process = _spawn(binary, data, socket)
    if _wait_until_ready(process, socket):
        return process
    said = _read(data / _LOG_FILE)
    if IS_BROKEN.search(said) and mend(binary, data):
        return None
    raise SettingsError(
        f"The private Redis does not start on {data}; it says: " + " ".join(said[-600:].split())
    )


def _spawn(binary: Path, data: Path, socket: Path) -> subprocess.Popen[bytes]:
    (data / _LOG_FILE).unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data),
        "pidfile": str(data / _PID_FILE),
        "logfile": str(data / _LOG_FILE),
        "loglevel": "warning",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "no",  # a wrong length half way reads as a cut end, too
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    command = [str(binary)]
    for name, value in options.items():
        command += [f"--{name}", value]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, umask=0o077)


def _fail_open_tasks(binary: Path, data: Path, socket: Path, instance: str) -> None:
    """Fail what is open, on a socket that no worker knows: none may take it up before."""
    aside = socket.with_name("mend.sock")
    process = _start_or_mend(binary, data, aside)
    if process is None:
        return
    try:
        # Nobody else waits for this Redis, so it may take long.
        with connect_blocking(url_of(aside), block_s=START_TIMEOUT_S) as client:
            failed = Ledger(client, instance).fail_open(LOST)
    finally:
        process.terminate()
        process.wait()
    log.warning("%d tasks that were open have failed: Redis has lost what came after", failed)
    lost_changes(data).unlink()


def _wait_until_ready(process: subprocess.Popen[bytes], socket: Path) -> bool:
    _wait_until(lambda: process.poll() is not None or _answers(socket), START_TIMEOUT_S)
    if process.poll() is None and _answers(socket):
        return True
    process.kill()
    process.wait()
    return False


def _answers(socket: Path) -> bool:
    try:
        with connect(url_of(socket)) as client:
            return bool(client.ping())
    except RedisAway:  # also "loading the dataset in memory"
        return False


def _is_redis_on(pid: int, socket: Path) -> bool:
    """Whether a process is a redis-server on a socket of our folder: the number may be anyone's."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:  # no /proc: macOS
        ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        command = subprocess.run(ps, capture_output=True, text=True, check=False).stdout
    return "redis-server" in command and str(socket.parent) in command


def _wait_until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def _noted_socket(data: Path) -> Path | None:
    noted = _read(data / _NOTE)
    return Path(noted) if noted else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def lost_changes(data: Path) -> Path:
    """A file that is there from before whole changes are cut off until their loss is dealt with.

    Where only the tail was cut, as after a power cut, there is none.
    """
    return data / "lost-changes"


def mend(redis_server: Path, data: Path) -> bool:
    """Cut a broken file after its last whole command; whether there was anything to cut.

    What is cut off is kept beside it. Raises SettingsError where there is no room for that.
    """
    target = data / "appendonlydir" / "appendonly.aof.manifest"  # Redis 7 and newer
    if not target.exists():
        target = data / "appendonly.aof"
    analyzed = _ANALYZED.findall(_check_aof(redis_server, str(target)))
    if not analyzed:
        return False
    name, size, good = analyzed[-1][0], int(analyzed[-1][1]), int(analyzed[-1][2])
    broken = target.with_name(name) if name else target
    kept = data / f"broken-{broken.name}"  # only the newest: it may be large
    if good >= size:
        return False
    log.warning("the append-only file is broken: its end is cut off and kept as %s", kept)
    try:
        _keep_end(broken, good, kept)
        if _has_whole_changes(kept):
            publish(lost_changes(data), b"")
        _sync(data)
    except OSError as error:
        kept.unlink(missing_ok=True)
        raise SettingsError(
            f"The append-only file of Redis is damaged, and what must be cut off it cannot be kept "
            f"as {kept} ({error.strerror}): free {(size - good) // 1_000_000 + 1} MB on its disk "
            "and start again."
        ) from error
    _check_aof(redis_server, "--fix", str(target))
    return broken.stat().st_size < size


def _check_aof(redis_server: Path, *words: str) -> str:
    """What redis-check-aof answers; redis-server is that when it is called by that name."""
    done = subprocess.run(
        ["redis-check-aof", *words],
        executable=redis_server,
        input=b"y\n",
        capture_output=True,
        check=False,
    )
    return done.stdout.decode(errors="replace")


def _keep_end(broken: Path, begin: int, kept: Path) -> None:
    kept.unlink(missing_ok=True)
    with broken.open("rb") as source, open(kept, "xb", opener=private) as target:
        source.seek(begin)
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())


def _has_whole_changes(cut_off: Path) -> bool:
    with (
        cut_off.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(_END_OF_A_CHANGE) >= 0


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _serve(data: Path, socket: Path, instance: str) -> int:
    """Run redis-server until it ends or we are told to; 0 where we were told."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle

    def parent_is_gone() -> None:
        # The other children are ending too, and hand their work back over Redis meanwhile.
        _wait_until(lambda: _clients(socket) <= 1, STOP_TIMEOUT_S)
        told.set()

    watch_parent(parent_is_gone, hard_exit_s=2 * STOP_TIMEOUT_S)
    end_left_behind(data)
    process = start(data, socket, instance)

    while process.poll() is None and not told.wait(_LOOK_EVERY_S):
        pass
    if process.poll() is not None:
        log.error("redis-server ended by itself (exit status %s)", process.returncode)
        return 1
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_S)
    process.kill()
    return 0


def _clients(socket: Path) -> int:
    try:
        with connect(url_of(socket)) as client:
            return int(client.info("clients")["connected_clients"])
    except RedisAway:
        return 0


def main() -> int:
    try:
        settings = Settings.from_env()
        logs.configure("redis", settings.log_level, settings.log_format)
        data = data_dir(settings)
        return _serve(data, _noted_socket(data) or make_socket_path(data), settings.instance)
    except (SettingsError, RedisAway) as error:
        print(error.message, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
