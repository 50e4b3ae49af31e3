"""A real worker of KIND; at its end it writes the names of all imported packages to MODULES."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from workers.__main__ import main

if __name__ == "__main__":
    status = main([os.environ["KIND"]])
    packages = sorted({name.partition(".")[0] for name in sys.modules})
    Path(os.environ["MODULES"]).write_text(json.dumps(packages))
    sys.exit(status)
