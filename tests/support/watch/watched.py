"""Watched folders for tests of the scan side, which know no Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.paths import Roots
from shared.settings import Settings
from shared.watch.folders import WatchFolder
from workers.watcher.scan.listing import NameRules, Scan
from workers.watcher.scan.scanner import Scanner


def watched(root: Path, **fields: Any) -> WatchFolder:
    cache = str(fields.pop("cache_dir", root.parent / "cache"))
    return WatchFolder(
        id="folder",
        path=str(root),
        client_path=str(root),
        cache_dir=cache,
        client_cache_dir=cache,
        created_at=0.0,
        **fields,
    )


def rules_of(folder: WatchFolder, *extensions: tuple[str, bool]) -> NameRules:
    return NameRules.of(folder, Settings(watch_extensions=extensions))


def scanner_of(folder: WatchFolder, roots: Roots | None = None) -> Scanner:
    if roots is None:
        roots = Roots("RUSHES_MEDIA_ROOTS", None, Path(folder.path).parent / "state")
    return Scanner(folder, rules_of(folder), roots)


def clip(path: Path, size: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def nothing() -> None:
    """A checkpoint that lets pass."""


def names(scan: Scan, root: Path) -> list[str]:
    """Files and sequences, relative to the root."""
    return sorted(str(Path(path).relative_to(root)) for path in [*scan.files, *scan.sequences])
