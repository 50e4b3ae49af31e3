"""Whether a root is there, which one it is, and whether its file system tells of changes."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from pathlib import Path, PurePath
from typing import NamedTuple

import msgspec

_MOUNTS = Path("/proc/self/mountinfo")
_SILENT = frozenset(
    "9p acfs afp afs apfs-fuse autofs beegfs ceph cifs coda drvfs fakeowner fhgfs gfs2 glusterfs "
    "gpfs grpcfuse lustre mmfs ncpfs nfs nfs4 ocfs2 orangefs osxfs panfs prl_fs pvfs2 smb2 smb3 "
    "smbfs virtiofs vboxsf vmhgfs wekafs".split()
)
_LASTING_INODES = frozenset("afs beegfs ceph gpfs lustre nfs nfs4".split())
_NOT_ANSWERING = frozenset(
    number
    for name in (
        "ESTALE ENOTCONN ENODEV ETIMEDOUT EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ECONNABORTED "
        "ECONNREFUSED ECONNRESET EREMOTEIO ENOLINK ESHUTDOWN EPIPE EBUSY"
    ).split()
    if (number := getattr(errno, name, None)) is not None
)
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_OCTAL = re.compile(rb"\\([0-7]{3})")


class Unreachable(Exception):
    """A watched folder cannot be looked at. `reason`: a sentence for people."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RootIdentity(msgspec.Struct, frozen=True):
    """What tells a root from another one at the same path.

    `source`: kind and source of a network mount, such as `nfs4 server:/footage`; else empty.
    """

    device: int
    inode: int
    fsid: int = 0
    source: str = ""


def identity_of(root: str) -> RootIdentity:
    """What is at `root` now, whose first entry is listed too. Raises Unreachable."""
    try:
        found = os.stat(root)
        if not stat.S_ISDIR(found.st_mode):
            raise Unreachable(f"{printable(root)} is not a folder.")
        with os.scandir(root) as entries:
            next(entries, None)
        fsid = os.statvfs(root).f_fsid
    except OSError as error:
        raise Unreachable(why(root, error)) from error
    mount = _mount_of(root)
    is_remote = mount is not None and _is_silent(mount.kind)
    source = f"{mount.kind} {mount.source}" if mount and is_remote else ""
    return RootIdentity(found.st_dev, found.st_ino, fsid, source)


def is_same_root(old: RootIdentity, new: RootIdentity) -> bool:
    """Device numbers of network and overlay mounts change with each mount, so an equal file
    system id will do; two that differ are two disks, though both are /dev/sdb1 in their turn."""
    kind = old.source.partition(" ")[0]
    if kind and old.source == new.source and kind not in _LASTING_INODES:  # made up by each mount
        return True
    if old.inode != new.inode:
        return False
    if old.fsid and new.fsid:
        return old.fsid == new.fsid
    return old.device == new.device or (old.source != "" and old.source == new.source)


def mount_point(path: str) -> str:
    """Where the file system is mounted that a path lies on, or would."""
    mount = _mount_of(path)
    if mount is not None:
        return mount.point
    real = PurePath(os.path.realpath(path))  # macOS has no list of mounts
    return next(str(p) for p in (real, *real.parents) if os.path.ismount(p) or p == p.parent)


def needs_polling(root: str) -> str | None:
    """The kind of file system where changes made elsewhere cause no events; None: they do."""
    mount = _mount_of(root)
    return mount.kind if mount is not None and _is_silent(mount.kind) else None


def why(path: str, error: OSError) -> str:
    """Why a folder cannot be looked at."""
    shown = printable(path)
    words = error.strerror or str(error)
    if error.errno == errno.ENOENT:
        return f"The folder {shown} is missing; is its disk or share connected?"
    if error.errno == errno.ENOTDIR:
        return f"{shown} is not a folder."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"The server has no permission to read the folder {shown}."
    if error.errno in _NOT_ANSWERING:
        return f"The folder {shown} does not answer: {words}."
    return f"The folder {shown} cannot be read: {words}."


def is_fault_of_file(error: OSError) -> bool:
    """Whether a file itself is to blame for an error, not a disk or share below, nor this machine
    whose memory or descriptors have run out. An unreadable sector is the file's."""
    return error.errno not in _NOT_ANSWERING | _EXHAUSTED


def printable(path: str) -> str:
    """A path whose bytes may not be UTF-8, for messages."""
    return os.fsencode(path).decode("utf-8", "replace")


class _Mount(NamedTuple):
    point: str
    kind: str
    source: str


def _is_silent(kind: str) -> bool:
    return kind in _SILENT or kind == "fuse" or kind.startswith("fuse.")


def _mount_of(path: str) -> _Mount | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        real = os.path.realpath(path)
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return None
    best: _Mount | None = None
    for mount in filter(None, map(_parsed, lines)):
        is_over = real == mount.point or real.startswith(mount.point.rstrip("/") + "/")
        if is_over and (best is None or len(mount.point) >= len(best.point)):
            best = mount  # of several at one point, the last lies on top
    return best


def _parsed(line: bytes) -> _Mount | None:
    """`36 35 98:0 /sub /mnt\\040x rw master:1 - nfs4 server:/x rw`"""
    before, separator, after = line.partition(b" - ")
    fields, rest = before.split(b" "), after.split(b" ")
    if not separator or len(fields) < 5 or len(rest) < 2:
        return None
    return _Mount(_unescaped(fields[4]), _unescaped(rest[0]), _unescaped(rest[1]))


def _unescaped(field: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), field))
