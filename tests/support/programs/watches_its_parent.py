"""Watches the pipe to its parent; with `deaf`, ignores SIGTERM and ends hard 0.2 s later."""

import os
import signal
import sys
from pathlib import Path

from shared.process.ending import watch_parent

if sys.argv[2:] == ["deaf"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
watch_parent(hard_exit_s=0.2)
Path(sys.argv[1], str(os.getpid())).touch()
while True:
    signal.pause()
