"""Programs of monitoring out of Debian packages, which are unpacked and not installed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.quality.debian_packages import DebianPackage, fetch_deb, members
from tests.support.media.photos import SAMPLES

PROMTOOL = DebianPackage(
    "promtool",
    "2.53.3+ds1-2",
    "ff27654eacc95abd846d344e91fe4ba3b4f0588a50d606ed1d2f09ad3408722f",
    16,
)
ALERTMANAGER = DebianPackage(
    "prometheus-alertmanager",
    "0.28.1+ds-1",
    "76ee08c2bf686fa32ca243d099b6bfc6cb00074e9337c18ef73154b60c5830a9",
    12,
)
_KEPT = ("./usr/bin/", "./usr/share/prometheus/")


def fetch_monitoring() -> None:
    """Both packages, unpacked beside the samples. Raises FetchFailed."""
    for package in (PROMTOOL, ALERTMANAGER):
        unpacked(package)


def unpacked(package: DebianPackage) -> Path:
    """Folder with the package's `usr`; the package itself is not kept. Raises FetchFailed."""
    folder = SAMPLES / "monitoring" / f"{package.name}-{package.version}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        new = Path(scratch) / "new"
        for name, content in members(fetch_deb(package, Path(scratch))):
            if name.startswith(_KEPT):
                path = new / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    shutil.copyfileobj(content, file)
                path.chmod(0o755)
        try:
            return new.rename(folder)
        except OSError:
            if not folder.exists():  # else another process has just unpacked it
                raise
            return folder


def bin_of(package: DebianPackage) -> Path:
    return unpacked(package) / "usr" / "bin"
