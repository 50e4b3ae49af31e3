"""What a CacheDir knows of a file's content: whether there is anything left to make of it."""

from __future__ import annotations

import os
from collections.abc import Collection as Several
from dataclasses import dataclass, field

from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import FollowState, Seen
from shared.domain import ProgressType, Stage
from shared.media import hash_media, open_media_file
from shared.paths import Roots
from shared.people.collection import Collection, Members
from workers.media import sameness
from workers.watcher.folder.state import AnalysisProfile
from workers.watcher.scan.listing import FileStat


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
