"""`python -m tests.support.system.system_calls @SET … -- COMMAND`: a command that may do no more.

As systemd's SystemCallFilter with SystemCallErrorNumber=EPERM does it, where no systemd runs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # of libseccomp


def names_in(name: str) -> set[str]:
    """Every system call in one of systemd's sets, as systemd itself tells."""
    command = ["systemd-analyze", "syscall-filter", name]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    words = set(re.findall(r"^ {4}([@\w-]+)$", told, re.M))
    sets = {word for word in words if word.startswith("@")}
    return (words - sets).union(*(names_in(one) for one in sets))


def confine(names: set[str]) -> None:
    """Refuse this process, and all that it starts, every other system call."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(_ERRNO | errno.EPERM))
    for name in sorted(names):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # else another kind of processor has it
            assert library.seccomp_rule_add(context, _ALLOW, number, 0) == 0, name
    assert library.seccomp_load(context) == 0


def main(arguments: list[str]) -> None:
    at = arguments.index("--")
    confine(set().union(*map(names_in, ["@default", *arguments[:at]])))  # systemd adds it, too
    os.execvp(arguments[at + 1], arguments[at + 1 :])


if __name__ == "__main__":
    main(sys.argv[1:])
