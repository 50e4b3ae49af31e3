"""From what a request says to a WatchFolder; what can be wrong with its fields, and together."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import UNSET

from api.http.client_paths import ClientPaths
from api.http.services import CoreServices
from api.watch.bodies import ScheduleBody, WatchFolderBody
from shared.errors import AlreadyWatched, BadInput, NotAllowed
from shared.models.languages import language_code
from shared.models.vocabulary import checked_vocabulary
from shared.opening import open_folder
from shared.paths import Roots, location_of
from shared.people.names import checked_name
from shared.watch.folders import Schedule, WatchFolder
from shared.watch.options import WatchOptions

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def requested_fields(services: CoreServices, body: WatchFolderBody) -> dict[str, Any]:
    """What a request says, as fields of a WatchFolder. Touches no disk.

    Null where it is no value equals leaving a field out, as it does in changes. Raises BadInput or
    NotAllowed, naming the field.
    """
    given = {name: getattr(body, name) for name in body.__struct_fields__}
    fields: dict[str, Any] = {
        name: given[name] for name in WatchOptions.__struct_fields__ if given[name] is not None
    }
    if body.path is not None:
        fields |= {"path": services.paths.media(body.path, "path"), "client_path": body.path}
    if body.cache_dir is not None:
        fields["cache_dir"] = services.paths.cache(body.cache_dir)
        fields["client_cache_dir"] = body.cache_dir
    for name, read in _READ.items():
        value = given[name]
        if value is not UNSET and (value is not None or name in _RESETTABLE):
            fields[name] = None if value is None else read(value)
    if body.vocabulary is not None:
        fields["uses_vocabulary"] = bool(body.vocabulary)
    return fields


def locate(services: CoreServices, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with where links lead; folders must be there and allowed. Touches the disk."""
    found = dict(fields)
    if {"path", "cache_dir"} & fields.keys():
        found["key_roots"] = services.paths.key_roots
    if "path" in fields:
        roots = Roots.media(services.settings).within(services.paths.key_roots)
        found["real_path"] = _real_folder(roots, fields["path"], fields["client_path"])
    if "cache_dir" in fields:
        path, client_path = fields["cache_dir"], fields["client_cache_dir"]
        roots = Roots.cache(services.settings).within(services.paths.key_roots)
        found["real_cache_dir"] = services.folders.call(
            path, lambda: _real_cache(roots, path, client_path)
        )
    return found


def _real_folder(roots: Roots, path: str, client_path: str) -> str:
    try:
        with open_folder(path, roots) as folder:
            with os.scandir(folder.fd) as entries:
                next(entries, None)
            if not os.access(".", os.X_OK, dir_fd=folder.fd):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return location_of(folder.fd)
    except NotAllowed as error:
        raise NotAllowed(f"path: {error.message}") from None
    except FileNotFoundError:
        raise BadInput(
            f"path: there is no folder {client_path} on the server; create it first, or see "
            "RUSHES_PATH_MAP if the server calls it otherwise."
        ) from None
    except NotADirectoryError:
        raise BadInput(
            f"path: {client_path} is not a folder; analyze a single file with POST /analyze."
        ) from None
    except OSError as error:
        raise BadInput(
            f"path: the folder {client_path} cannot be read: {error.strerror}."
        ) from None


def _real_cache(roots: Roots, path: str, client_path: str) -> str:
    """A folder that may be missing: then it is made where its name leads, if that is inside."""
    try:
        with open_folder(path, roots) as folder:
            return location_of(folder.fd)
    except NotAllowed as error:
        raise NotAllowed(f"cache_dir: {error.message}") from None
    except NotADirectoryError:
        raise BadInput(f"cache_dir: {client_path} is a file, not a folder.") from None
    except OSError:  # whoever writes to it says what else is wrong
        return os.path.realpath(path)


def _collection(name: str) -> str:
    try:
        return checked_name(name)
    except BadInput as error:
        raise BadInput(f"cluster_job_name: {error.message}") from None


def _schedule(hours: ScheduleBody) -> Schedule:
    for name in ("start", "stop"):
        if not _TIME.fullmatch(getattr(hours, name)):
            raise BadInput(
                f'schedule.{name} must be a time of day such as "20:00" (00:00 to 23:59), not '
                f"{getattr(hours, name)[:20]!r}."
            )
    if hours.start == hours.stop:
        raise BadInput(
            "schedule.start and schedule.stop are the same time; leave the schedule out, or send "
            "null, to work at any hour."
        )
    return Schedule(hours.start, hours.stop)


def _extensions(given: Sequence[str]) -> tuple[str, ...]:
    for n, extension in enumerate(given):
        field = f"excluded_extensions[{n}]"
        if not extension.strip(" ."):
            raise BadInput(f'{field} must not be empty; write e.g. ".wav" or "wav".')
        if "/" in extension:
            raise BadInput(f'{field}: {extension!r} holds a "/"; write e.g. ".wav" or "wav".')
        if "*" in extension or "?" in extension:
            raise BadInput(
                f'{field}: {extension!r} is a pattern; write e.g. ".wav", or put patterns into '
                "excluded_filename_globs."
            )
    return tuple(given)


def _globs(given: Sequence[str]) -> tuple[str, ...]:
    for n, glob in enumerate(given):
        field = f"excluded_filename_globs[{n}]"
        if not glob.strip():
            raise BadInput(f"{field} must not be empty.")
        if _has_open_bracket(glob):
            raise BadInput(
                f'{field}: {glob!r} has a "[" without its "]"; close it, or write "[[]" for the '
                "character itself."
            )
    return tuple(given)


def vain_globs(globs: Sequence[str] | None) -> list[str]:
    """Return a warning for each exclusion that can match no file."""
    return [
        f"excluded_filename_globs: {glob!r} matches nothing: patterns are compared with the name "
        'of a file, which holds no "/". Remove the folder from the pattern.'
        for glob in globs or ()
        if "/" in glob
    ]


def _has_open_bracket(glob: str) -> bool:
    """Whether a "[" lacks its "]"; to fnmatch, one right after "[" or "[!" belongs to the set."""
    at = glob.find("[")
    while at >= 0:
        first = at + 2 if glob[at + 1 : at + 2] == "!" else at + 1
        end = glob.find("]", first + 1 if glob[first : first + 1] == "]" else first)
        if end < 0:
            return True
        at = glob.find("[", end + 1)
    return False


_RESETTABLE = ("language", "speakers", "cluster_job_name", "schedule")
_READ: dict[str, Callable[[Any], Any]] = {
    "language": language_code,
    "speakers": bool,
    "cluster_job_name": _collection,
    "schedule": _schedule,
    "excluded_extensions": _extensions,
    "excluded_filename_globs": _globs,
    "vocabulary": checked_vocabulary,
}


def check_folder(folder: WatchFolder) -> None:
    """Raise BadInput for what does not go together in one folder."""
    if not (folder.analyze_visual or folder.analyze_speech or folder.analyze_faces):
        raise BadInput(
            "There is nothing to do: set analyze_visual, analyze_speech or analyze_faces to true."
        )
    if folder.analyze_faces and folder.cluster_job_name is None:
        raise BadInput(
            "cluster_job_name is required with analyze_faces: the collection that receives the "
            "faces."
        )
    path, cache_dir = _path(folder), _cache_dir(folder)
    if path == cache_dir:
        raise BadInput(
            "cache_dir must not be the watched folder itself; a folder inside it is fine, such as "
            ".rushes."
        )
    if _is_inside(path, cache_dir):
        raise BadInput(
            f"path lies inside the cache_dir {folder.client_cache_dir}, which holds analysis data "
            "and no media; choose another folder for one of them."
        )


def check_overlap(paths: ClientPaths, folder: WatchFolder, others: Iterable[WatchFolder]) -> None:
    """Raise AlreadyWatched where files would be watched twice into one cache_dir."""
    path = _path(folder)
    for other in others:
        if other.id == folder.id or _cache_dir(other) != _cache_dir(folder):
            continue
        named = f"watch folder {other.id} ({other.client_path})"
        if not paths.is_of_key(other.path, other.cache_dir):
            named = "a watch folder outside the folders of this licence key"
        if _path(other) == path:
            raise AlreadyWatched(
                f"{folder.client_path} is watched already with this cache_dir, by {named}; change "
                "that one."
            )
        if other.recursive and _is_inside(path, _path(other)):
            raise AlreadyWatched(
                f"{folder.client_path} lies inside {named}, which is recursive and has the same "
                "cache_dir: its files are watched already."
            )
        if folder.recursive and _is_inside(_path(other), path):
            raise AlreadyWatched(
                f"{named} lies inside {folder.client_path} and has the same cache_dir: its files "
                'would be watched twice. Delete it first, or send "recursive": false.'
            )


def _path(folder: WatchFolder) -> str:
    return folder.real_path or folder.path


def _cache_dir(folder: WatchFolder) -> str:
    return folder.real_cache_dir or folder.cache_dir


def _is_inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")
