"""Does one thing to copies of a Collection and is killed in each at another call to the disk.

    python -m tests.support.programs.killed_in_people ROOT OPERATION

ROOT/base is copied to ROOT/0, ROOT/1, … Copy n is worked on by a process that kills itself at the
n-th moment before or after such a call; the last copy is the one in which all went through. Data
that was not synced when the process dies is lost by half.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shared.opening import RootedPath
from shared.people.collection import Collection
from shared.people.edits import Undo
from tests.support.people.clusterings import clustering

NEW_HASH = "ffffffffffffffff"
CALLS = ("fsync", "replace", "rename", "link", "unlink", "mkdir")


def _publish(collection: Collection) -> None:
    assert collection.publish(clustering([7, 7, 7], number=2))


def _publish_without_links(collection: Collection) -> None:
    os.link = _refuse  # type: ignore[assignment]
    _publish(collection)


def _refuse(*paths: object, **folders: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "no links here")


OPERATIONS: dict[str, Callable[[Collection], object]] = {
    "add": lambda collection: collection.add("m", [NEW_HASH], "t"),
    "append": lambda collection: collection.append(Undo("")),
    "fold": lambda collection: collection._edits.fold(),
    "publish": _publish,
    "publish without links": _publish_without_links,
}


def _until(moment: int) -> None:
    """Make this process die at that moment."""
    moments = iter(range(moment + 1))

    def pass_by(lose: Callable[[], object]) -> None:
        if next(moments) == moment:
            lose()
            os.kill(os.getpid(), signal.SIGKILL)

    def wrapped(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def wrapper(*args: Any, **options: Any) -> Any:
            pass_by((lambda: _halve(args[0])) if name == "fsync" else lambda: None)
            try:
                return call(*args, **options)
            finally:
                pass_by(lambda: None)

        return wrapper

    for name in CALLS:
        setattr(os, name, wrapped(getattr(os, name), name))


def _halve(fd: int) -> None:
    with contextlib.suppress(OSError):  # it is a folder
        os.ftruncate(fd, os.fstat(fd).st_size // 2)


def _copies(root: Path) -> Iterator[tuple[int, Path]]:
    moment = 0
    while True:
        yield moment, shutil.copytree(root / "base", root / str(moment))
        moment += 1


def main() -> None:
    root, operation = Path(sys.argv[1]), OPERATIONS[sys.argv[2]]
    for moment, copy in _copies(root):
        child = os.fork()
        if child == 0:
            collection = Collection.open(RootedPath.alone(copy), "Cast", create=False)
            _until(moment)
            operation(collection)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            print(moment)
            return
        assert os.WIFSIGNALED(status), f"failed at moment {moment}"


if __name__ == "__main__":
    main()
