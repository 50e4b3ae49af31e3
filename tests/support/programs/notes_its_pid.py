"""Writes a file named by its process number into a folder and waits to be ended."""

import os
import signal
import sys
from pathlib import Path

Path(sys.argv[1], str(os.getpid())).touch()
signal.pause()
