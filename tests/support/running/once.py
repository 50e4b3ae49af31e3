"""Media and other material that tests make once a run: the processes of a run share it.

Whoever changes what is shared works on a copy. A process that has used it checks at its end that
it is still as it was made.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")
Make = Callable[[Path], object]


class Material:
    """The shared folder of a run, and the state of the files that one process has used from it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._used: dict[Path, dict[str, tuple[int, int]]] = {}

    def made_once(self, name: str, make: Make) -> Path:
        """Return the folder that `make` fills. The first process that needs it makes it.

        A process that is killed meanwhile leaves only a draft, and the next one begins again.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / hashlib.sha256(os.fsencode(name)).hexdigest()[:20]
        if place not in self._used:
            with _locked(place.with_suffix(".lock")):
                if not place.exists():
                    draft = place.with_suffix(".draft")
                    shutil.rmtree(draft, ignore_errors=True)
                    draft.mkdir()
                    make(draft)
                    draft.rename(place)
            self._used[place] = _state(place)
        return place

    def check(self) -> None:
        """Raise where a test has changed what others share."""
        for place, state in self._used.items():
            now = _state(place)
            changed = sorted(name for name in state | now if state.get(name) != now.get(name))
            assert not changed, f"a test has changed shared material: {place} {changed}"


_of_this_run: Material | None = None


def made_once(name: str, make: Make) -> Path:
    """Return the folder that `make` fills once a run; `name` says all that its content goes by."""
    assert _of_this_run is not None, "material is shared within a run of pytest"
    return _of_this_run.made_once(name, make)


def copied(path: Path, name: str, make: Make) -> Path:
    """Write to `path` what `make` writes there, or a copy where a file of this name was made.

    `name` says all that its content goes by, besides the name of the file.
    """
    if _of_this_run is None:  # a benchmark
        make(path)
        return path
    folder = made_once(f"{path.name} {name}", lambda draft: make(draft / path.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / path.name, path)
    return path


def kept_value(name: str, make: Callable[[], Value]) -> Value:
    """Return what `make` returned to the first process of the run that asked; it is pickled."""
    if _of_this_run is None:
        return make()
    folder = made_once(name, lambda draft: (draft / "value").write_bytes(pickle.dumps(make())))
    value: Value = pickle.loads((folder / "value").read_bytes())
    return value


@contextlib.contextmanager
def shared_in(folder: Path) -> Iterator[None]:
    """Share with other processes what is made meanwhile, in a folder of their run."""
    global _of_this_run
    _of_this_run = Material(folder)
    try:
        yield
    finally:
        material, _of_this_run = _of_this_run, None
    material.check()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file below it."""
    files = (Path(at, name) for at, _, names in os.walk(folder) for name in names)
    return {str(f.relative_to(folder)): ((s := f.stat()).st_size, s.st_mtime_ns) for f in files}
