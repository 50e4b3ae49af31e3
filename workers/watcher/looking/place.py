"""Whether what lies at a watch folder's path is what lay there before: the guard's verdict."""

from __future__ import annotations

import os
from itertools import islice

from msgspec.structs import astuple

from shared.watch.files import FileGroup
from workers.watcher.folder_state import FolderState
from workers.watcher.looking.guard import Identity, Unreachable, is_same_place
from workers.watcher.looking.names import NameKind
from workers.watcher.looking.scan import Scan

_SAMPLE = 40


class Strange(Unreachable):
    """Something else seems to lie there; only a user knows whether that is meant."""


def check_place(state: FolderState, place: Identity) -> None:
    """Raise Unreachable where another volume has taken the place of the known one.

    Numbers of file systems may change with every mount: where half of a sample of the known files
    is there, it is the same.
    """
    known = state.facts.root
    if known is None or known == astuple(place) or is_same_place(Identity(*known), place):
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
        raise Strange(
            f"Another volume than before seems to lie at {state.folder.path}: of {len(sample)} "
            f"known files {there} are there. Nothing is forgotten. If that is meant, send POST "
            f"/watch-folders/{state.folder.id}/retry."
        )


def is_emptied(state: FolderState, scan: Scan) -> bool:
    """Nothing is there any more, while files are known and nobody has said that this is meant.

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


def move_in(state: FolderState) -> None:
    """Look at what is known in the light of a path or cache_dir that the folder was given since."""
    facts, folder = state.facts, state.folder
    if facts.path not in ("", folder.path):
        base = folder.path.rstrip("/") + "/"
        for path in [path for path in state.table.files if not path.startswith(base)]:
            state.forget(path)
        state.know(root=None, last_scan_at=None)
    if facts.cache_dir not in ("", folder.cache_dir):
        state.know(cache_id="")
        state.do_again()
    state.know(path=folder.path, cache_dir=folder.cache_dir)


def _stride(state: FolderState) -> int:
    return max(1, len(state.table.files) // _SAMPLE)


def _is_there(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False
