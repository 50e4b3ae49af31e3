"""Media, cache and export roots are opened by shared/opening.py alone: links there may be swapped.

What looks like opening, listing or asking for a path elsewhere stands here with its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
_OF_OS = set(
    "open scandir listdir walk stat lstat access mkdir makedirs rename renames replace unlink "
    "remove rmdir removedirs link symlink readlink utime truncate chmod statvfs".split()
)
_OF_OS_PATH = set("exists lexists isfile isdir islink ismount getsize getmtime samefile".split())
_OF_PATHS = set(
    "read_bytes read_text write_bytes write_text iterdir glob rglob mkdir touch unlink is_dir "
    "is_file is_symlink lstat symlink_to hardlink_to rmdir".split()
)
_OF_OTHERS = {"av": {"open"}, "Image": {"open"}, "np": {"load", "memmap", "fromfile"}}
_WHOLE = {"shutil", "tempfile"}
_OTHER_THINGS = {"", "item", "entry", "transcripts", "self._redis"}  # entries of open folders, ours
_OWN = "RUSHES_STATE_DIR alone"
_MODELS = "weights in RUSHES_MODELS_DIR, or files of packages"
_SYSTEM = "/proc and /sys"
_OPENED = "works on what shared.opening has opened"
_LOOKS = "looks whether something is there, and opens nothing by that"
# Modules and folders, each with what its paths are instead.
_ALLOWED = {
    "shared/opening.py": "the one way",
    "shared/paths.py": "asks where folders are, which gives nothing of them out",
    "api/browsing/looking.py": _OPENED,
    "api/console/": "files of this package",
    "api/docs/": "files of this package",
    "api/media/playback/previews.py": _OWN,
    "api/search/calibration/store.py": _OWN,
    "api/search/codes/store.py": _OWN,
    "api/search/frames/log.py": _OWN,
    "api/search/filtering/facts.py": _OWN,
    "api/search/index_log.py": _OWN,
    "api/search/scenes/scene_store.py": _OWN,
    "api/search/transcripts/log.py": _OWN,
    "shared/audit.py": _OWN,
    "shared/exports/writing.py": _LOOKS,
    "shared/ledger/": "scripts of this package",
    "shared/models/": _MODELS,
    "shared/private_files.py": _OWN,
    "shared/process/machine.py": _SYSTEM,
    "shared/process/memory.py": _SYSTEM,
    "shared/process/process_mark.py": _SYSTEM,
    "shared/redis/kept_hash.py": _OWN,
    "shared/watch/live.py": "scripts of this package",
    "workers/models/": _MODELS,
    "workers/watcher/folder/admission.py": _SYSTEM,
    "api/folders.py": "looks in threads of their own whether folders hang",
    "api/watch/fields.py": _OPENED,
    "workers/analysis/speakers/voices.py": "files of this package",
    "workers/export/": _OPENED,
    "workers/media/": _OPENED,
    "workers/presence/": _LOOKS,
    "workers/preview/segment.py": "writes into memory",
    "workers/recluster/item.py": _LOOKS,
    "workers/watcher/": _LOOKS,
}


def test_only_one_module_opens_paths_of_the_roots() -> None:
    found: dict[str, list[str]] = {}
    for root in ("api", "shared", "workers"):
        for path in sorted((PROJECT / root).rglob("*.py")):
            name = str(path.relative_to(PROJECT))
            if used := list(_openings(ast.parse(path.read_text()))):
                found[name] = used
    allowed = {name for name in found for known in _ALLOWED if name.startswith(known)}
    assert not {name: used for name, used in found.items() if name not in allowed}
    idle = [known for known in _ALLOWED if not any(name.startswith(known) for name in found)]
    assert not idle, "they open nothing any more: take them off the list"


def _openings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if any((word.arg or "").endswith("dir_fd") for word in node.keywords):
            continue  # in a folder that is open
        name = ast.unparse(node.func)
        of, _, method = name.rpartition(".")
        if (
            name == "open"
            or (of == "os" and method in _OF_OS)
            or (of == "os.path" and method in _OF_OS_PATH)
            or method in _OF_OTHERS.get(of, ())
            or of in _WHOLE
            or (method in _OF_PATHS and of not in _OTHER_THINGS)
        ):
            yield f"{node.lineno} {name}"
