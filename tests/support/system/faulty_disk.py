"""A mounted file system that fails or hangs when a test says so: `/dev/fuse`, without a library.

It shows a source folder, read-only. `python -m tests.support.system.faulty_disk SOURCE MOUNTPOINT`
is its server: its own process, so that it can be killed, and so that no test waits for itself.
It reads lines of JSON, {"path": errno}, from its standard input: what is to fail from now on, by
path relative to the source ("" is the root). Needs root: see tests/support/skip_or_fail.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.support.skip_or_fail import skip_or_fail
from tests.support.waiting import wait_for

_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _STATFS, _RELEASE = 1, 2, 3, 14, 15, 17, 18
_FLUSH, _INIT, _OPENDIR, _READDIR, _RELEASEDIR, _INTERRUPT, _BATCH_FORGET = (
    *(25, 26, 27, 28, 29, 36),
    42,
)
_SILENT = (_FORGET, _INTERRUPT, _BATCH_FORGET)


class FaultyDisk:
    """The mounted folder, and what fails in it."""

    def __init__(self, source: Path, mounted: Path, server: subprocess.Popen[bytes]) -> None:
        self.source = source
        self.mounted = mounted
        self._server = server

    def fail(self, number: int, *paths: str) -> None:
        """Everything that is asked of these paths fails with that errno; of no others any more."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(dict.fromkeys(paths, number)).encode() + b"\n")
        self._server.stdin.flush()
        self._server.stdout.readline()

    def heal(self) -> None:
        self.fail(0)

    def hang(self) -> None:
        """Nothing that is asked of it is answered until it is back, like a share without server."""
        self._server.send_signal(signal.SIGSTOP)
        # A thread that runs on the other core may still answer what is asked until it has stopped.
        wait_for(self._has_stopped, 10, "all threads of the server to stop")

    def come_back(self) -> None:
        self._server.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """The server is gone, the mount is not: ENOTCONN."""
        self._server.kill()
        self._server.wait()

    def _has_stopped(self) -> bool:
        threads = Path(f"/proc/{self._server.pid}/task").glob("*/stat")
        return all(one.read_text().rpartition(")")[2].split()[0] == "T" for one in threads)


@contextlib.contextmanager
def faulty_disk(source: Path, mounted: Path) -> Iterator[FaultyDisk]:
    """`source` is shown at `mounted`; both are made where they are missing."""
    for folder in (source, mounted):
        folder.mkdir(exist_ok=True)
    if not os.access("/dev/fuse", os.R_OK | os.W_OK) or os.geteuid() != 0:
        skip_or_fail("this user may not mount a FUSE file system")
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.system.faulty_disk", str(source), str(mounted)],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        if server.stdout.readline() != b"mounted\n":
            skip_or_fail("this machine does not let FUSE file systems be mounted")
        yield FaultyDisk(source, mounted, server)
    finally:
        server.kill()
        server.wait()
        server.stdin.close()
        server.stdout.close()
        subprocess.run(["umount", "-l", str(mounted)], capture_output=True, check=False)


class _Server:
    """Answers the kernel; protocol 7.31."""

    def __init__(self, source: str, device: int) -> None:
        self.failing: dict[str, int] = {}
        self._source = source
        self._device = device
        self._paths = {1: ""}
        self._nodes = {"": 1}
        self._answers = {
            _LOOKUP: self._lookup,
            _GETATTR: self._getattr,
            _READDIR: self._readdir,
            _READ: self._read,
            _OPEN: lambda node, body: struct.pack("<QII", 0, 1, 0),  # 1: past the page cache
            _OPENDIR: lambda node, body: struct.pack("<QII", 0, 0, 0),
            _STATFS: lambda node, body: struct.pack("<5Q10I", *([0] * 5), 4096, 255, *([0] * 8)),
            _RELEASE: lambda node, body: b"",
            _RELEASEDIR: lambda node, body: b"",
            _FLUSH: lambda node, body: b"",
            _INIT: lambda node, body: struct.pack(
                "<4I2H2I2H8I", 7, 31, 0, 0, 8, 6, 1 << 17, 1, 32, *([0] * 9)
            ),
        }

    def serve(self) -> None:
        while True:
            try:
                request = os.read(self._device, 1 << 18)
            except OSError as error:
                if error.errno == errno.ENOENT:
                    continue  # the asker did not wait
                return  # unmounted
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            if opcode in _SILENT:
                continue
            failed, answer = self._answered(opcode, node, request[40:])
            head = struct.pack("<IiQ", 16 + len(answer), -failed, unique)
            with contextlib.suppress(OSError):
                os.write(self._device, head + answer)

    def _answered(self, opcode: int, node: int, body: bytes) -> tuple[int, bytes]:
        try:
            if opcode not in self._answers:
                return errno.ENOSYS, b""
            if opcode != _INIT:
                self._check(self._paths[node])
            return 0, self._answers[opcode](node, body)
        except OSError as error:
            return error.errno or errno.EIO, b""

    def _check(self, path: str) -> None:
        if number := self.failing.get(path):
            raise OSError(number, os.strerror(number))

    def _real(self, path: str) -> str:
        return os.path.join(self._source, path) if path else self._source

    def _lookup(self, node: int, body: bytes) -> bytes:
        path = os.path.join(self._paths[node], os.fsdecode(body.rstrip(b"\0")))
        self._check(path)
        attributes = self._attributes(path)
        number = self._nodes.setdefault(path, len(self._nodes) + 1)
        self._paths[number] = path
        return struct.pack("<4Q2I", number, 0, 0, 0, 0, 0) + attributes

    def _getattr(self, node: int, body: bytes) -> bytes:
        return struct.pack("<Q2I", 0, 0, 0) + self._attributes(self._paths[node])

    def _attributes(self, path: str) -> bytes:
        found = os.lstat(self._real(path))
        seconds, nanoseconds = divmod(found.st_mtime_ns, 10**9)
        times = (seconds,) * 3 + (nanoseconds,) * 3
        rest = (found.st_mode, 1, 0, 0, 0, 4096, 0)
        return struct.pack("<6Q10I", found.st_ino, found.st_size, 0, *times, *rest)

    def _readdir(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        entries = sorted(os.scandir(self._real(self._paths[node])), key=lambda one: one.name)
        answer = b""
        for number, entry in enumerate(entries[offset:], offset + 1):
            name = os.fsencode(entry.name)
            kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) >> 12
            record = struct.pack("<QQII", entry.inode(), number, len(name), kind) + name
            record += bytes(-len(record) % 8)
            if len(answer) + len(record) > size:
                break
            answer += record
        return answer

    def _read(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        with open(self._real(self._paths[node]), "rb") as file:
            return os.pread(file.fileno(), size, offset)


def main(source: str, mounted: str) -> None:
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"faulty", os.fsencode(mounted), b"fuse", 0, options.encode()) != 0:
        print(f"not mounted: {os.strerror(ctypes.get_errno())}", flush=True)
        return
    server = _Server(source, device)
    threading.Thread(target=server.serve, daemon=True).start()
    print("mounted", flush=True)
    for line in sys.stdin:
        server.failing = json.loads(line)
        print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
