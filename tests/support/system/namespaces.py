"""Machines of a small network, as Linux network namespaces; needs root: see `skip_or_fail`.

Nothing of it is seen outside: the switch and the addresses lie in the namespaces. Those of a test
run that was killed are removed by the next run.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.support.skip_or_fail import skip_or_fail
from tests.support.waiting import wait_for

_NETNS = Path("/run/netns")
_OURS = re.compile(r"rushes-test-(\d+)-")
_CLONE_NEWNET = 0x40000000
_NUMBERS = count()  # of networks of this process
# The arguments: the machine's name, a folder that is an empty mount point there, and the command.
_ENTER = 'hostname "$0"; [ -z "$1" ] || mount -t tmpfs none "$1"; shift; exec "$@"'


@dataclass(frozen=True)
class Machine:
    """One machine: its name, its address, and the names of its namespace and of the switch's."""

    name: str
    address: str
    namespace: str
    switch: str

    def entered(self, *, unmounted: Path | None = None) -> list[str]:
        """What to put before a command that shall run there, under the machine's own host name.

        `unmounted`: a folder that is empty there, as a mount point without its disk is.
        """
        apart = ["--uts", "--mount"] if unmounted else ["--uts"]
        return [
            *("nsenter", f"--net={_NETNS / self.namespace}", "unshare", *apart),
            *("sh", "-e", "-c", _ENTER, self.name, str(unmounted or "")),
        ]

    def cut_off(self) -> None:
        """Pull its cable out of the switch: what it sends is lost, and nobody tells it."""
        _ip("-n", self.switch, "link", "set", f"to-{self.name}", "down")

    def connect(self) -> None:
        _ip("-n", self.switch, "link", "set", f"to-{self.name}", "up")

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Sockets, threads and processes that this thread makes in the block belong to it."""
        with open("/proc/thread-self/ns/net") as before, open(_NETNS / self.namespace) as there:
            _set_namespace(there.fileno())
            try:
                yield
            finally:
                _set_namespace(before.fileno())


@dataclass
class Network:
    """A switch, and the machines that were put on it. Addresses: 10.77.0.1 and so on."""

    prefix: str
    machines: list[Machine] = field(default_factory=list)

    def add(self, name: str) -> Machine:
        number = len(self.machines) + 1
        switch = f"{self.prefix}switch"
        machine = Machine(name, f"10.77.0.{number}", f"{self.prefix}{name}", switch)
        self.machines.append(machine)
        inside = ("-n", machine.namespace)
        _ip("netns", "add", machine.namespace)
        _ip(*inside, "link", "set", "lo", "up")
        cable = ("type", "veth", "peer", "name", "eth0", "netns", machine.namespace)
        _ip("-n", switch, "link", "add", "name", f"to-{name}", *cable)
        _ip("-n", switch, "link", "set", f"to-{name}", "master", "bridge", "up")
        _ip(*inside, "address", "add", f"{machine.address}/24", "dev", "eth0")
        _ip(*inside, "link", "set", "eth0", "up")
        return machine


@contextlib.contextmanager
def network(*names: str) -> Iterator[list[Machine]]:
    """Machines of these names that reach each other."""
    if (
        shutil.which("ip") is None
        or subprocess.run(["ip", "netns"], capture_output=True).returncode
    ):
        skip_or_fail("ip of iproute2 is missing")
    _sweep()
    made = Network(f"rushes-test-{os.getpid()}-{next(_NUMBERS)}-")
    switch = f"{made.prefix}switch"
    if subprocess.run(["ip", "netns", "add", switch], capture_output=True).returncode:
        skip_or_fail("this user may not make network namespaces")
    try:
        _ip("-n", switch, "link", "add", "name", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        yield [made.add(name) for name in names]
    finally:
        _remove(made.prefix)


def _sweep() -> None:
    """Remove what test runs have left that were killed."""
    for path in _NETNS.glob("rushes-test-*"):
        found = _OURS.match(path.name)
        if found and not Path("/proc", found[1]).exists():
            _remove(found[0])


def _remove(prefix: str) -> None:
    for path in _NETNS.glob(f"{prefix}*"):
        wait_for(lambda path=path: not _killed(path.name), 10, f"the end of {path.name}")
        _ip("netns", "delete", path.name)


def _killed(namespace: str) -> set[int]:
    """Kill what still runs there; what was still there."""
    pids = {int(pid) for pid in _ip("netns", "pids", namespace).split()} - {os.getpid()}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return pids


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
    return done.stdout


def _set_namespace(descriptor: int) -> None:
    """os.setns, which Python 3.11 has not."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns failed")
