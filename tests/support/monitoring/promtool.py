"""promtool, which reads what Prometheus would read: one program out of a Debian package."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from shared.models.registry_packages import FetchFailed
from tests.quality.debian_packages import DebianPackage, fetch_deb, members
from tests.support.media.photos import SAMPLES

_PACKAGE = DebianPackage(
    "promtool",
    "2.53.3+ds1-2",
    "ff27654eacc95abd846d344e91fe4ba3b4f0588a50d606ed1d2f09ad3408722f",
    16,
)


def fetch_promtool() -> Path:
    """The program, unpacked beside the samples; its package is not kept. Raises FetchFailed."""
    program = SAMPLES / "promtool" / f"promtool-{_PACKAGE.version}"
    if program.exists():
        return program
    with tempfile.TemporaryDirectory(dir=_made(program.parent)) as scratch:
        for name, content in members(fetch_deb(_PACKAGE, Path(scratch))):
            if name.endswith("usr/bin/promtool"):
                unpacked = Path(scratch) / "promtool"
                with unpacked.open("wb") as file:
                    shutil.copyfileobj(content, file)
                unpacked.chmod(0o755)
                return unpacked.replace(program)
    raise FetchFailed(f"{_PACKAGE.name} {_PACKAGE.version} holds no promtool.")


def promtool(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run it with `text` as its input; what it says is in `stdout` and `stderr`."""
    return subprocess.run(
        [str(fetch_promtool()), *words], input=text, capture_output=True, text=True, check=False
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
