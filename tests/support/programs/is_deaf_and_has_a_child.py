"""Ignores SIGTERM, like its child; both write their process number into a folder."""

import os
import signal
import sys
from pathlib import Path

signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
Path(sys.argv[1], str(os.getpid())).touch()
signal.pause()
