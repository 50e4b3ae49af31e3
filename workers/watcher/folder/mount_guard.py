"""Whether a watch folder and its cache folder are those of before, and what is made already."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from collections.abc import Collection as Several
from dataclasses import dataclass, field
from itertools import islice

from msgspec.structs import astuple, replace

from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import FollowState, Seen
from shared.domain import ProgressType, Stage
from shared.errors import CacheError, NotAllowed
from shared.media import hash_media, open_media_file
from shared.opening import RootedPath
from shared.paths import Roots
from shared.people.collection import Collection, Members
from shared.watch.options import FileGroup
from workers.media import sameness
from workers.presence.root_identity import RootIdentity, Unreachable, is_same_root
from workers.watcher.folder.state import AnalysisProfile, FolderState
from workers.watcher.scan.listing import FileStat, NameKind, Scan

log = logging.getLogger(__name__)


@dataclass(slots=True)
class CacheLookup:
    """One CacheDir, asked by one folder's thread. Raises CacheError."""

    cache: CacheDir
    roots: Roots
    _follow: FollowState = field(default_factory=FollowState)
    _seen: dict[str, Seen] = field(default_factory=dict)  # by path
    _collections: dict[str, Collection] = field(default_factory=dict)
    _members: tuple[Members, frozenset[str]] | None = None  # of the Collection asked for last

    def hash_of(self, path: str, found: FileStat) -> str:
        """`hash_str`, by the catalogue where the file is as seen. Raises MediaError, NotAllowed."""
        seen = self._seen.get(path)
        if seen and (seen.size, seen.mtime_ns) == found:
            return seen.hash_str
        with open_media_file(path, self.roots) as file:
            return hash_media(file)

    def read_seen(self, below: str) -> None:
        """Learn which files below a folder have a known hash; for a watcher that knows nothing."""
        prefix = below.rstrip("/") + "/"
        for entry in self.cache.catalogue.follow(self._follow).entries:
            if isinstance(entry, Seen) and entry.path.startswith(prefix):
                known = self._seen.get(entry.path)
                if known is None or known.seen_at <= entry.seen_at:
                    self._seen[entry.path] = entry

    def is_made(
        self, hash_str: str, path: str, parts: Several[ProgressType], profile: AnalysisProfile
    ) -> bool:
        """Whether all of it is published for the file at `path` as it is now.

        The same rules as the worker's (workers/analysis/analyzed_file.py), but where only reading
        the whole file could tell, the answer is False and the worker reads it.
        """
        known = self.cache.last_seen(hash_str, path)
        if not sameness.is_known_as(known, os.stat(path), lambda: None):
            return False
        changed_at = known.changed_at if known else 0.0
        is_made = {
            ProgressType.VIDEO: lambda: (
                self._has(hash_str, Stage.FRAMES, "", changed_at)
                and self._has(hash_str, Stage.VISUAL, profile.spec.visual_model, changed_at)
            ),
            ProgressType.AUDIO: lambda: self._is_transcribed(hash_str, profile, changed_at),
            ProgressType.FACES: lambda: (
                self._has(hash_str, Stage.FACES, profile.spec.face_model, changed_at)
                and self._is_member(hash_str, profile)
            ),
        }
        return all(is_made[part]() for part in parts)

    def add_path(self, hash_str: str, path: str, found: FileStat) -> None:
        """Note one more place of a content that is analysed; again is cheap."""
        known = self.cache.last_seen(hash_str, path)
        if known is None or (known.size, known.mtime_ns) != found:
            crc, changed_at = (known.full_crc, known.changed_at) if known else (None, 0.0)
            self.cache.remember_path(hash_str, path, found.size, found.mtime_ns, crc, changed_at)

    def _has(self, hash_str: str, stage: Stage, model: str, changed_at: float) -> bool:
        manifest = self.cache.manifest(hash_str, stage, model)
        if manifest is None or not self.cache.has_data(hash_str, manifest):
            return False
        return not changed_at or manifest.made_at >= changed_at

    def _is_transcribed(self, hash_str: str, profile: AnalysisProfile, changed_at: float) -> bool:
        known = self.cache.manifest(hash_str, Stage.TRANSCRIPT, profile.spec.speech_model)
        return (
            known is not None
            and known.audio_streams == profile.spec.audio_streams
            and profile.language in (None, known.language)
            and self._has(hash_str, Stage.TRANSCRIPT, profile.spec.speech_model, changed_at)
        )

    def _is_member(self, hash_str: str, profile: AnalysisProfile) -> bool:
        name = profile.spec.collection
        if name not in self._collections:
            self._collections[name] = Collection(self.cache.root, name)
        members = self._collections[name].members()
        if self._members is None or self._members[0] is not members:
            self._members = (members, frozenset(members.hashes))
        return members.model == profile.spec.face_model and hash_str in self._members[1]


_PROBE_BYTES = 256 << 10  # less than this free, and hardly any file could be published

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
    files = state.table.files
    sample = [
        (path, file)
        for path, file in islice(files.items(), 0, None, max(1, len(files) // _SAMPLE))
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


def _is_there(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False


class CacheGone(CacheError):
    """The cache folder that held the results is not there."""


class CacheGuard:
    """Opens the CacheDir of one folder; for the folder's thread alone."""

    def __init__(self, state: FolderState, *, knows_no_file: bool) -> None:
        """`knows_no_file`: no earlier watcher has handed one over."""
        self._state = state
        self._lookup: CacheLookup | None = None
        self._accepts_any = False
        self._knows_no_file = knows_no_file

    def open(self) -> CacheLookup:
        """Open the CacheDir, before every batch. Raises CacheGone, CacheError."""
        folder, known_id = self._state.folder, self._state.facts.cache_id
        settings = self._state.context.settings
        roots = Roots.cache(settings).within(folder.key_roots)
        if known_id and not self._accepts_any:
            _check_known(RootedPath.of(folder.cache_dir, roots))
        try:
            cache = CacheDir.open(folder.cache_dir, roots, create=True)
        except NotAllowed as error:  # a link has come there since the folder was made
            raise CacheError(error.message) from error
        self._accepts_any = False
        if self._lookup is None or self._lookup.cache.id != cache.id:
            self._lookup = CacheLookup(cache, Roots.media(settings).within(folder.key_roots))
        if cache.id != known_id:
            self._state.facts = replace(self._state.facts, cache_id=cache.id)
            if known_id:
                log.warning("%s is another cache folder than before", folder.cache_dir)
                self._state.do_again()
        if self._knows_no_file:
            self._lookup.read_seen(folder.path)
            self._knows_no_file = False
        return self._lookup

    def close(self) -> None:
        """Forget what was read of the CacheDir."""
        self._lookup = None

    def accept_any(self) -> None:
        """A user has said that the one which is there, or none, is meant."""
        self._accepts_any = True


def check_writable(cache: CacheDir) -> None:
    """Write a little and remove it. Raises CacheError with the system's reason."""
    probe = f".probe-{secrets.token_hex(4)}.tmp"
    with cache_files.clear_errors(cache.root), cache_files.folder(cache.root) as folder:
        try:
            with os.fdopen(folder.create(probe), "wb") as file:
                file.write(bytes(_PROBE_BYTES))
                os.fsync(file.fileno())
        finally:
            with contextlib.suppress(FileNotFoundError):
                folder.remove(probe)


def _check_known(root: RootedPath) -> None:
    """A mount that is away leaves an empty folder: writing there would begin everything anew."""
    if not (root / "rushes.json").exists():
        raise CacheGone(
            f"The cache folder {root} is gone or empty. Is its disk mounted? If it was deleted on "
            "purpose, send POST /watch-folders/{id}/retry, and it is made anew."
        )
