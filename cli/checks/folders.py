"""STATE_DIR, the roots and the targets of PATH_MAP: there, readable and, where needed, writable."""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cli.checks.finding import Finding, T, fine, problem, refuse_problems, warning, within
from shared.settings import Settings

log = logging.getLogger(__name__)

ANSWERS_WITHIN_S = 10.0
_STATE_DIR = "RUSHES_STATE_DIR"
_OURS = ("up.lock", "keys.json", "watch-folders.json", "redis", "search", "transcripts")
# Also where a root cannot be written, folders in it may well be.
_MENDS_BELOW = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
_TRIAL_BYTES = 64 * 1024
_MOUNTS = Path("/proc/self/mountinfo")
# File systems of other machines, or of a virtual machine's host: locks there are slow or none.
_REMOTE = frozenset(
    "9p afs beegfs ceph cifs fuse.ceph fuse.glusterfs fuse.juicefs fuse.rclone fuse.s3fs "
    "fuse.sshfs glusterfs lustre nfs nfs4 smb3 smbfs vboxsf virtiofs vmhgfs".split()
)
_SCARCE_BYTES, _TOO_FEW_BYTES = 2**30, 100 * 2**20
_WHY = {
    errno.ENOENT: ("does not exist", "create or mount it, or correct the setting"),
    errno.ENOTDIR: ("is no folder", "name a folder"),
    errno.EACCES: ("may not be used by this user", "give user {uid} access to it"),
    errno.EPERM: ("may not be used by this user", "give user {uid} access to it"),
    errno.EROFS: ("is mounted read-only", "mount it for writing, or name another folder"),
    errno.ENOSPC: ("lies on a full disk", "make room there, or name another folder"),
    errno.EDQUOT: ("is over its disk quota", "make room there, or name another folder"),
    errno.ETIMEDOUT: ("does not answer", "see whether its file server and its mount are alive"),
}


def check_folders(settings: Settings) -> None:
    """Raise SettingsError at a start for a folder that cannot be used. Creates STATE_DIR."""
    found = refuse_problems([state_dir(settings, create=True)])
    for finding in [*found, *refuse_problems(roots(settings))]:
        log.warning("%s", finding.sentence)


def state_dir(settings: Settings, *, create: bool = False) -> Finding:
    """Whether STATE_DIR can be written, also if it is to be made, for this user alone."""
    folder = settings.state_dir
    try:
        if create:
            within(ANSWERS_WITHIN_S, lambda: folder.mkdir(parents=True, exist_ok=True, mode=0o700))
        elif not within(ANSWERS_WITHIN_S, folder.exists):
            within(ANSWERS_WITHIN_S, lambda: _try(_existing(folder), writable=True))
            return fine(_STATE_DIR, f"{folder} does not exist yet and will be created")
    except FileExistsError:
        pass  # no folder: said below
    except TimeoutError as error:
        return _refused(_STATE_DIR, folder, error)
    except OSError as error:
        return _not_creatable(folder, error.strerror or str(error))
    found = _folder(_STATE_DIR, folder, writable=True)
    if found.level != "ok":
        return found
    return _foreign(folder) or _not_local(folder) or _open_to_all(folder) or found


def roots(settings: Settings) -> Iterator[Finding]:
    """A finding for each root that is set."""
    read = functools.partial(_folder, writable=False)
    return _together(
        functools.partial(look, name, folder)
        for name, folders, look in (
            ("RUSHES_MEDIA_ROOTS", settings.media_roots, read),
            ("RUSHES_CACHE_ROOTS", settings.cache_roots, _written_below),
            ("RUSHES_EXPORT_ROOTS", settings.export_roots, _written_below),
        )
        for folder in folders or ()
    )


def mounts(settings: Settings) -> Iterator[Finding]:
    """Warnings for roots that look like places where nothing is mounted."""
    folders = dict.fromkeys([*(settings.media_roots or ()), *(settings.cache_roots or ())])
    looked = _together(functools.partial(_is_unmounted, folder) for folder in folders)
    for folder, is_unmounted in zip(folders, looked, strict=True):
        if is_unmounted:
            yield warning(
                "mounts",
                f"{folder} is empty and lies on the system's own disk",
                "mount the share that belongs there, if one does",
            )


def path_map(settings: Settings) -> Iterator[Finding]:
    """Whether the folders that clients' paths lead to are there, and inside the roots."""
    targets = (Path(server) for _, server in settings.path_map)
    looked = _together(
        functools.partial(_folder, "RUSHES_PATH_MAP", target, writable=False) for target in targets
    )
    for (client, server), found in zip(settings.path_map, looked, strict=True):
        named = [*(settings.media_roots or ()), *(settings.cache_roots or ())]
        inside = any(Path(server).is_relative_to(r) or r.is_relative_to(server) for r in named)
        if found.level == "ok" and settings.media_roots is not None and not inside:
            found = warning(
                "RUSHES_PATH_MAP",
                f"{client} leads to {server}, which lies in none of the roots",
                "add it to RUSHES_MEDIA_ROOTS or RUSHES_CACHE_ROOTS",
            )
        yield found


def disk_space(settings: Settings) -> Iterator[Finding]:
    """Room on the disks that are written to."""
    seen: set[int] = set()
    for folder in (settings.state_dir, settings.weights_dir, *(settings.cache_roots or ())):
        with contextlib.suppress(OSError):
            device, free = within(ANSWERS_WITHIN_S, functools.partial(_room, folder))
            if free is None or device in seen:
                continue
            seen.add(device)
            message = f"the disk of {folder} has {free / 2**30:.1f} GiB free"
            if free < _TOO_FEW_BYTES:
                yield problem("disk space", message, "make room there")
            elif free < _SCARCE_BYTES:
                yield warning("disk space", message, "make room there before it is full")
            else:
                yield fine("disk space", message)


def _foreign(folder: Path) -> Finding | None:
    """A problem where another user left files in STATE_DIR, as after one start as root."""
    mode = os.R_OK | os.W_OK
    names = [n for n in _OURS if os.path.lexists(folder / n) and not os.access(folder / n, mode)]
    if not names:
        return None
    message = f"{_STATE_DIR} names {folder}, and this user may not write {', '.join(names)} in it"
    return problem(_STATE_DIR, message, f"run `chown -R {os.getuid()} {folder}` as root")


def _not_local(folder: Path) -> Finding | None:
    """A warning where STATE_DIR lies on a network file system (Linux)."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}".encode()
    kind = ""
    with contextlib.suppress(OSError):
        for line in _MOUNTS.read_bytes().splitlines():
            before, _, after = line.partition(b" - ")
            if before.split()[2] == number:
                kind = os.fsdecode(after.split()[0])
    if kind not in _REMOTE:
        return None
    message = f"{_STATE_DIR} names {folder}, which lies on a network file system ({kind})"
    return warning(_STATE_DIR, message, "name a folder on a local disk of this machine")


def _open_to_all(folder: Path) -> Finding | None:
    """A warning where every user of this machine may look into STATE_DIR."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not mode & stat.S_IRWXO:
        return None
    message = f"{_STATE_DIR} names {folder}, which every user of this machine may open ({mode:04o})"
    return warning(_STATE_DIR, message, f"run `chmod o= {folder}`")


def _not_creatable(folder: Path, why: str) -> Finding:
    above = _existing(folder)
    may = f"let user {os.getuid()} write to {above}, or " if above.is_dir() else ""
    cure = f"{may}name another folder"
    return problem(
        _STATE_DIR, f"{_STATE_DIR} names {folder}, which cannot be created ({why})", cure
    )


def _folder(name: str, folder: Path, writable: bool) -> Finding:
    try:
        within(ANSWERS_WITHIN_S, lambda: _try(folder, writable))
    except OSError as error:
        return _refused(name, folder, error)
    return fine(name, f"{folder} can be {'written' if writable else 'read'}")


def _written_below(name: str, folder: Path) -> Finding:
    """Whether a root can be written: it should be, unless files lie in folders of their own."""
    found = _folder(name, folder, writable=False)
    if found.level != "ok":
        return found
    try:
        within(ANSWERS_WITHIN_S, lambda: _try(folder, writable=True))
    except OSError as error:
        if error.errno not in _MENDS_BELOW:
            return _refused(name, folder, error)
        message = f"{name} names {folder}, which this user cannot write itself ({error.strerror})"
        return warning(name, message, "mend that, unless folders in it can be written")
    return fine(name, f"{folder} can be written")


def _together(looks: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Results of all looks, in order: ten shares that are away are waited for at once."""
    calls = list(looks)
    with ThreadPoolExecutor(max(1, len(calls))) as threads:
        yield from list(threads.map(lambda call: call(), calls))


def _try(folder: Path, writable: bool) -> None:
    """Raise OSError unless a folder can be listed and, if asked for, written."""
    if not stat.S_ISDIR(folder.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    with os.scandir(folder) as entries:
        next(entries, None)
    if not os.access(folder, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if writable:
        try:
            _write(folder)
        except FileNotFoundError as error:  # file systems that hold no files of ours: /proc
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from error


def _write(folder: Path) -> None:
    # It never has a name where the file system can do that, and else only for a moment.
    with tempfile.TemporaryFile(dir=folder, prefix=".rushes-trial-") as trial:
        trial.write(bytes(_TRIAL_BYTES))
        trial.flush()
        os.fsync(trial.fileno())


def _refused(name: str, folder: Path, error: OSError) -> Finding:
    code = errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno or 0
    said, cure = _WHY.get(code, (f"cannot be used ({error.strerror or error})", "mend that"))
    return problem(name, f"{name} names {folder}, which {said}", cure.format(uid=os.getuid()))


def _is_unmounted(folder: Path) -> bool:
    def looks_unmounted() -> bool:
        with os.scandir(folder) as entries:
            is_empty = next(entries, None) is None
        return is_empty and folder.stat().st_dev == Path("/").stat().st_dev

    with contextlib.suppress(OSError):
        return within(ANSWERS_WITHIN_S, looks_unmounted)
    return False


def _existing(folder: Path) -> Path:
    """A folder itself, or the nearest one above it that exists."""
    # Unlike Path.exists, it takes what lies behind a closed door for absent.
    return next(above for above in (folder, *folder.parents) if os.path.exists(above))


def _room(folder: Path) -> tuple[int, int | None]:
    """Device of a folder and its free bytes: 0 where no more files fit, None if it is no disk."""
    folder = _existing(folder)
    disk = os.statvfs(folder)
    is_out_of_files = disk.f_files > 0 and disk.f_favail == 0
    free = 0 if is_out_of_files else disk.f_bavail * disk.f_frsize
    return folder.stat().st_dev, free if disk.f_blocks else None
