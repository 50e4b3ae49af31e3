"""Prints as JSON how it was started, and ends with the status 7."""

import json
import os
import signal
import sys
import threading
from pathlib import Path

numbers = os.listdir("/proc/self/fd")
description = {
    "arguments": sys.argv[1:],
    "name": __name__,
    "main": sys.modules["__main__"].__dict__ is globals(),
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "path": sys.path,
    "descriptors": len(numbers),
    "threads": [threading.active_count(), len(os.listdir("/proc/self/task"))],
    "leads its session": os.getsid(0) == os.getpid() == os.getpgrp(),
    "input": sys.stdin.read(),
    "streams": [
        [stream.encoding, stream.errors, stream.line_buffering, stream.write_through]
        for stream in (sys.stdin, sys.stdout, sys.stderr)
    ],
    "signals": {
        number.name: str(signal.getsignal(number))
        for number in signal.Signals
        if number is not signal.SIGUSR2  # writes the stacks of a forked process
    },
    "mask": [str(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "umask": os.umask(0o22),
    "is forked": Path("/proc/self/cmdline").read_bytes().split(b"\0")[2].endswith(b"fork_server"),
}
print(json.dumps(description))
print("to stderr", file=sys.stderr)
sys.exit(7)
