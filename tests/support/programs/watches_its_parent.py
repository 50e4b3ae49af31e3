"""Watches the pipe to its parent; with `deaf`, ignores SIGTERM and ends hard 0.2 s later."""

import os
import signal
import sys
from pathlib import Path

from shared.process import parent_pipe

if sys.argv[2:] == ["deaf"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
parent_pipe.watch(hard_exit_s=0.2)
Path(sys.argv[1], str(os.getpid())).touch()
while True:
    signal.pause()
