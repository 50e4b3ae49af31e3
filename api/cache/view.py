"""What this process knows of one CacheDir: artefacts and paths, followed in its catalogue."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from concurrent.futures import Executor
from typing import Generic, NamedTuple, TypeVar
from unicodedata import normalize

from shared.cache import catalogue
from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import Artefact, Entry, FollowState, Seen
from shared.domain import Stage
from shared.media import MediaType, media_type_of, other_forms
from shared.opening import RootedPath

AskedT = TypeVar("AskedT")
FoundT = TypeVar("FoundT")

_MOST_KEPT = 10_000
_LATELY_S = 5.0
_MOST_NOTED = 100_000
_AT_ONCE = 1000  # MediaFiles, while others wait
_BEHIND_SLASH = chr(ord("/") + 1)
KeyT = TypeVar("KeyT")


class Looks(Generic[AskedT, FoundT]):
    """What looks found, each with the time when it began. Safe for threads.

    A request sees what is there at some moment after it began. So what another one looked up
    meanwhile is as good as a look of its own; nothing is ever older than the request. Where many
    ask at once about the same files, each file is looked at a few times and not once for everybody.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[AskedT, tuple[float, FoundT]] = {}

    def since(
        self,
        began: float,
        keys: Iterable[AskedT],
        look: Callable[[Sequence[AskedT]], Iterable[FoundT]],
    ) -> dict[AskedT, FoundT]:
        """What was found of each key since `began` (time.monotonic), by `look` for the rest."""
        wanted = list(dict.fromkeys(keys))
        with self._lock:
            known = [(key, self._found[key]) for key in wanted if key in self._found]
        fresh = {key: found for key, (at, found) in known if at >= began}
        if missing := [key for key in wanted if key not in fresh]:
            now = time.monotonic()
            found = dict(zip(missing, look(missing), strict=True))
            with self._lock:
                if len(self._found) > _MOST_KEPT:
                    self._found.clear()
                self._found.update((key, (now, value)) for key, value in found.items())
            fresh |= found
        return fresh


class Place(NamedTuple):
    """A path, and whether it opens and still holds that content; None: that takes too long."""

    path: str
    opens: bool | None


class LatelyOpened:
    """Paths that held their content some seconds ago. Safe for threads."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], float] = {}  # (hash, path) -> time.monotonic

    def note(self, hash_str: str, path: str, does_open: bool) -> None:
        """Note whether a path holds that content now."""
        if not does_open:
            self._found.pop((hash_str, path), None)
            return
        if len(self._found) >= _MOST_NOTED:
            self._found.clear()
        self._found[hash_str, path] = time.monotonic()

    def has(self, hash_str: str, path: str, since: float | None = None) -> bool:
        """Whether the path held that content since then (time.monotonic; None: lately)."""
        if since is None:
            since = time.monotonic() - _LATELY_S
        return self._found.get((hash_str, path), float("-inf")) >= since


def opens_at(places: Mapping[str, bool | None], path: str) -> bool | None:
    """Whether a path opens, by what is known of places; one that is none of them was opened."""
    known = (form for form in (path, *other_forms(path)) if form in places)
    return places[form] if (form := next(known, "")) else True


Announced = tuple[str, str]  # data file names: visual artefact, frames artefact ("" unknown)


class CacheView:
    """A CacheDir that is followed; safe for threads.

    `key`: its name among all of this machine. `reader`: threads for small reads in it.
    """

    def __init__(self, cache: CacheDir, key: str, reader: Executor) -> None:
        self.cache, self.key, self.reader = cache, key, reader
        self._lock = threading.Lock()
        self._state = FollowState()
        self._is_complete = False
        self._version = 0
        self._frames: dict[str, str] = {}  # hash -> data file
        self._visual: dict[str, dict[str, str]] = {}  # model -> hash -> data file
        self._paths: dict[str, dict[str, Seen]] = {}  # hash -> path -> newest sighting
        self._at_path: dict[str, str] = {}  # path -> hash last seen there
        self._newest: dict[str, Seen] = {}  # hash -> its newest sighting
        self._sightings = 0
        self.best_paths: Looks[str, str | None] = Looks()  # hash -> where the file opens
        self.opened = LatelyOpened()
        self.frames = AnnouncedFiles(self._lock, self._frames)
        self.transcripts: AnnouncedFiles[tuple[str, str]] = AnnouncedFiles(self._lock, {})
        self.speakers: AnnouncedFiles[tuple[str, str]] = AnnouncedFiles(self._lock, {})
        self.captions: AnnouncedFiles[str] = AnnouncedFiles(self._lock, {})  # that hold any
        self.seen = SeenPlaces(self._lock, self._paths)
        self.frame_packs: Looks[str, RootedPath | None] = Looks()  # hash -> where one lies

    def refresh(self, *, thorough: bool) -> None:
        """Read on in the catalogue; look into the folders too where the catalogue may have holes.

        `thorough`: also when it seems whole, because a client asked to load what is there.
        """
        with self._lock:
            followed = self.cache.catalogue.follow(self._state, thorough=thorough)
            self._note(followed.entries)
            if thorough or followed.lost or not self._is_complete:
                self._note(self.cache.catalogue.walk(skip=self._whole()))
                self._is_complete = True

    def look_at(self, hash_strs: Iterable[str]) -> None:
        """Read the manifests of these MediaFiles, which the catalogue may have missed."""
        for hash_str in hash_strs:
            entries: list[Entry] = [
                Artefact.of(hash_str, found) for found in self.cache.manifests(hash_str)
            ]
            with self._lock:
                self._note(entries)

    @property
    def version(self) -> int:
        """A number that grows when an artefact was announced."""
        with self._lock:
            return self._version

    def models(self) -> set[str]:
        """Keys of the models that made visual artefacts."""
        with self._lock:
            return set(self._visual)

    def announced(self, model: str) -> dict[str, Announced]:
        """Visual artefacts of a model by hash: hints, since lines come in any order."""
        with self._lock:
            visual = self._visual.get(model, {})
            return {
                hash_str: (file, self._frames.get(hash_str, ""))
                for hash_str, file in visual.items()
            }

    def correct(self, hash_str: str, model: str, found: Announced | None) -> None:
        """Note what manifests said of a visual artefact; None: it is not published (any more)."""
        with self._lock:
            if found is None:
                self._visual.get(model, {}).pop(hash_str, None)
            else:
                self._visual.setdefault(model, {})[hash_str] = found[0]
                self._frames[hash_str] = found[1]

    def analyzed(self) -> set[str]:
        """Hashes of MediaFiles whose pictures are analyzed with any model."""
        with self._lock:
            return set().union(*self._visual.values())

    def analyzed_by(self, model: str, hashes: Set[str]) -> set[str]:
        """Hashes, of the given ones, of MediaFiles whose pictures that model analyzed."""
        with self._lock:
            return self._visual.get(model, {}).keys() & hashes

    @property
    def sightings(self) -> int:
        """A number that grows when a path was noted."""
        with self._lock:
            return self._sightings

    def newest_paths(self) -> dict[str, str]:
        """Where each MediaFile was seen last, by hash."""
        with self._lock:
            return {hash_str: seen.path for hash_str, seen in self._newest.items()}

    def seen_at(self, path: str) -> tuple[str, Seen] | None:
        """The MediaFile last seen at this path, in either Unicode form, and what it was then."""
        with self._lock:
            for form in (path, *other_forms(path)):
                if hash_str := self._at_path.get(form):
                    return hash_str, self._paths[hash_str][form]
        return None

    def paths_of(self, hash_str: str) -> list[Seen]:
        """Where a MediaFile was seen, the place where it was seen first before later copies."""
        with self._lock:
            seen = list(self._paths.get(hash_str, {}).values())
        if not seen:
            noted = catalogue.read_paths(self.cache.media_dir(hash_str))
            seen = [Seen.of(hash_str, path) for path in noted]
        return sorted(seen, key=lambda s: (s.since, s.path))

    def _note(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, Seen):
                self._note_path(entry)
                continue
            self._version += 1
            if entry.stage is Stage.FRAMES:
                self._frames[entry.hash_str] = entry.file
            elif entry.stage is Stage.VISUAL:
                self._visual.setdefault(entry.model, {})[entry.hash_str] = entry.file
            elif entry.stage is Stage.TRANSCRIPT:
                self.transcripts.known[entry.hash_str, entry.model] = entry.file
            elif entry.stage is Stage.SPEAKERS:
                self.speakers.known[entry.hash_str, entry.model] = entry.file
            elif entry.stage is Stage.CAPTIONS and (
                entry.rows or entry.hash_str in self.captions.known
            ):
                self.captions.known[entry.hash_str] = entry.file

    def _note_path(self, entry: Seen) -> None:
        known = self._paths.setdefault(entry.hash_str, {})
        seen = entry
        if before := known.get(entry.path):
            seen = before.joined(entry)
        else:
            self.seen.note(entry.hash_str, entry.path)
        known[entry.path] = seen
        self._sightings += 1
        newest = self._newest.get(entry.hash_str)
        if newest is None or newest.seen_at <= seen.seen_at:
            self._newest[entry.hash_str] = seen
        there = self._at_path.get(entry.path)
        if there is None or self._paths[there][entry.path].seen_at <= seen.seen_at:
            self._at_path[entry.path] = entry.hash_str

    def _whole(self) -> set[str]:
        """MediaFiles that need no look into their folder: sound alone has no visual artefact."""
        whole: set[str] = set().union(*self._visual.values())
        for hash_str, _ in self.transcripts.known:
            seen = self._newest.get(hash_str)
            if seen is not None and media_type_of(seen.path) is MediaType.AUDIO:
                whole.add(hash_str)
        return whole


class AnnouncedFiles(Generic[KeyT]):
    """Which artefacts of a kind a CacheView was told of, by the hash, or by hash and model."""

    def __init__(self, lock: threading.Lock, known: dict[KeyT, str]) -> None:
        """`known`: the data files; whoever uses it holds the lock."""
        self._lock, self.known = lock, known

    def files(self) -> dict[KeyT, str]:
        """Data files: hints, since lines come in any order."""
        with self._lock:
            return dict(self.known)

    def correct(self, key: KeyT, file: str | None) -> None:
        """Note what the manifest said; None: they are not published (any more)."""
        with self._lock:
            if file is None:
                self.known.pop(key, None)
            else:
                self.known[key] = file


class SeenPlaces:
    """Where all MediaFiles of a CacheView were seen."""

    def __init__(self, lock: threading.Lock, paths: dict[str, dict[str, Seen]]) -> None:
        self._lock, self._paths = lock, paths
        self._ordering = threading.Lock()
        self._ordered: list[tuple[str, str]] | None = None  # by path; None: nobody has asked
        self._there: list[str] = []  # the MediaFiles in that order
        self._fresh: list[tuple[str, str]] = []  # not yet in order

    def first(self) -> dict[str, str]:
        """Where each was seen first, by hash: later copies do not change it."""
        with self._lock:
            return {
                hash_str: min((seen.since, seen.path) for seen in known.values())[1]
                for hash_str, known in self._paths.items()
            }

    def where(self, is_there: Callable[[str], bool]) -> set[str]:
        """Hashes of those that were seen at any such path."""
        with self._lock:
            return {
                hash_str for hash_str, known in self._paths.items() if any(map(is_there, known))
            }

    def note(self, hash_str: str, path: str) -> None:
        """One was seen where it was not before. Whoever calls holds the lock."""
        if self._ordered is not None:
            self._fresh.append((_composed(path), hash_str))

    def counts_below(self, folders: Sequence[str], hashes: set[str]) -> list[int]:
        """For each of some folders, how many of these were seen below it."""
        places, there = self._in_order()
        found = []
        for folder in map(_composed, folders):
            above = folder.rstrip("/")
            first, end = (bisect_left(places, (above + sign, "")) for sign in ("/", _BEHIND_SLASH))
            found.append(len(hashes.intersection(there[first:end])))
        return found

    def _in_order(self) -> tuple[list[tuple[str, str]], list[str]]:
        """All places with what was seen there, and that alone; kept once somebody has asked."""
        with self._ordering:
            with self._lock:
                is_first = self._ordered is None
                known, self._ordered = self._ordered or [], self._ordered or []
                fresh, self._fresh = self._fresh, []
                hashes = list(self._paths) if is_first else []
            for at in range(0, len(hashes), _AT_ONCE):
                with self._lock:  # for a moment only: searches wait for it
                    some = [
                        (h, path) for h in hashes[at : at + _AT_ONCE] for path in self._paths[h]
                    ]
                fresh += [(_composed(path), hash_str) for hash_str, path in some]
            if fresh:
                self._ordered = known = sorted(known + fresh)
                self._there = [hash_str for _, hash_str in known]
            return known, self._there


def _composed(path: str) -> str:
    """A path in the one Unicode form in which two that look the same are equal."""
    return path if path.isascii() else normalize("NFC", path)
