"""The mount guard: whether what lies at a watch folder's path is what lay there before."""

from __future__ import annotations

import os
from itertools import islice

from msgspec.structs import astuple

from shared.watch.choices import FileGroup
from workers.presence.root_identity import RootIdentity, Unreachable, is_same_root
from workers.watcher.folder.state import FolderState
from workers.watcher.scan.findings import Scan
from workers.watcher.scan.names import NameKind

_SAMPLE = 40


class RootReplaced(Unreachable):
    """Something else than before seems to lie at the path; only a user knows if that is meant."""


def check_root(state: FolderState, found: RootIdentity) -> None:
    """Raise RootReplaced where another volume has taken the place of the known one.

    Numbers of file systems may change with every mount: where half of a sample of the known files
    is there, it is the same.
    """
    known = state.facts.root
    if known is None or known == astuple(found) or is_same_root(RootIdentity(*known), found):
        return
    sample = [
        (path, file)
        for path, file in islice(state.table.files.items(), 0, None, _stride(state))
        if file.group is not FileGroup.SKIPPED
    ]
    if not sample:
        return
    there = sum(_is_there(path, file.size) for path, file in sample)
    if there * 2 < len(sample):
        raise RootReplaced(
            f"Another volume than before seems to lie at {state.folder.path}: of {len(sample)} "
            f"known files {there} are there. Nothing is forgotten. If that is meant, send POST "
            f"/watch-folders/{state.folder.id}/retry."
        )


def is_emptied(state: FolderState, scan: Scan) -> bool:
    """Whether nothing is there any more, while files are known and nobody has said it is meant.

    Files that do not count any more since the folder was changed tell nothing of its disk.
    """
    if scan.files or scan.sequences or state.facts.root is None:
        return False
    return any(
        file.group is not FileGroup.SKIPPED and _counts(state, path)
        for path, file in state.table.files.items()
    )


def _counts(state: FolderState, path: str) -> bool:
    folder, name = os.path.split(path)
    if not state.folder.recursive and folder.rstrip("/") != state.folder.path.rstrip("/"):
        return False
    return state.rules.kind(name) is not NameKind.IGNORED


def _stride(state: FolderState) -> int:
    return max(1, len(state.table.files) // _SAMPLE)


def _is_there(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False
