"""A Collection on the disk: its MediaFiles, its clusterings and its edits, for many machines."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from shared.cache import cache_files, limits
from shared.errors import BadInput, CacheError, Missing
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import RootedPath
from shared.people.addition_log import Addition, AdditionLog
from shared.people.clustering import Clustering, VoiceGrouping
from shared.people.edits import Edit, NewEdit
from shared.people.names import checked_name, folder_name, spoken
from shared.people.numbered_files import CLUSTERINGS, VOICES, NumberedFiles, Stamp, stamps
from shared.unusable_files import UnusableFile

_log = logging.getLogger(__name__)
_NAME_FILE = "name.json"


class Version(NamedTuple):
    """State of a Collection: equal versions, equal contents; each part on its own, too."""

    members: tuple[str, ...]
    edits: tuple[str, ...]
    clusterings: tuple[Stamp, ...]
    voices: tuple[Stamp, ...]


@dataclass(frozen=True, slots=True)
class Members:
    """The MediaFiles that are grouped together: those of the face model that was used last."""

    model: str = ""  # "" while there are none
    hashes: tuple[str, ...] = ()  # ascending


class _MembersAdded(msgspec.Struct, frozen=True):
    model: str
    hashes: tuple[str, ...]
    task_id: str


class _Name(msgspec.Struct, frozen=True):
    name: str
    created_at: float


class Collection:
    """One Collection, opened; find out with `version` whether others changed it.

    Safe for threads. Any part of it may be deleted at any time: then there is less of it.
    """

    def __init__(self, cache_root: RootedPath, name: str) -> None:
        self.name = name
        self.folder = _folder(cache_root, name)
        self._root = cache_root
        self._members: AdditionLog[_MembersAdded] = AdditionLog(
            self.folder / "members", _MembersAdded, cache_root
        )
        self._edits: AdditionLog[NewEdit] = AdditionLog(self.folder / "edits", NewEdit, cache_root)
        self.face_files = NumberedFiles(CLUSTERINGS, self.folder, cache_root, self._create)
        self.voice_files = NumberedFiles(VOICES, self.folder, cache_root, self._create)
        self._lock = threading.Lock()
        self._joined: tuple[object, Members] | None = None  # what it was read from last, and is

    @classmethod
    def open(cls, cache_root: RootedPath, name: str, *, create: bool) -> Collection:
        """Open a Collection. Raises BadInput for an impossible name, Missing for an unknown one."""
        found = cls(cache_root, checked_name(name))
        if create:
            found._create()
        elif not found.exists():
            raise Missing(f"There is no collection {name!r} in this cache folder.")
        return found

    @staticmethod
    def all_names(cache_root: RootedPath) -> list[str]:
        """Names of all Collections whose name can be read, in alphabetical order."""
        names = []
        with cache_files.clear_errors(cache_root):
            for folder in cache_files.names(cache_root / "collections"):
                name = _name_in(cache_root / "collections" / folder)
                if name is not None and folder_name(name) == folder:
                    names.append(name)
        return sorted(names, key=lambda name: (name.casefold(), name))

    def exists(self) -> bool:
        """Whether the Collection is (still) there. Without its name, but with contents, it is."""
        with cache_files.clear_errors(self._root):
            if (found := _name_in(self.folder)) is not None:
                self._require_own(found)
                return True
        return any(self.version())

    def add(self, model: str, hashes: Iterable[str], task_id: str) -> None:
        """Make MediaFiles members, by the face model whose artefacts they have."""
        wanted = set(hashes)
        for hash_str in wanted:
            if not cache_files.is_hash(hash_str):
                raise BadInput(f"hash_str must be 16 lower-case hex digits, not {hash_str!r}.")
        new = wanted.difference(_hashes(self._members.read(), model))
        # Nothing new still makes this model the one that counts, if another one was used since.
        if new or (wanted and self.members().model != model):
            self._create()
            self._members.append(_MembersAdded(model, tuple(sorted(new)), task_id))

    def members(self) -> Members:
        """The members as of now."""
        log = self._members.read()
        with self._lock:
            if self._joined is None or self._joined[0] is not log:
                now = log[-1].what.model if log else ""
                self._joined = log, Members(now, tuple(sorted(_hashes(log, now))))
            return self._joined[1]

    def clustering(self) -> Clustering | None:
        """The newest clustering that reads whole; None while nothing was grouped."""
        return self.face_files.newest()

    def publish(self, clustering: Clustering) -> bool:
        """Publish a clustering; False as NumberedFiles.publish says."""
        return self.face_files.publish(clustering)

    def voices(self) -> VoiceGrouping:
        """The newest grouping of voices that reads whole; the empty one while there is none."""
        found = self.voice_files.newest()
        return VoiceGrouping.empty() if found is None else found

    def edits(self) -> tuple[Edit, ...]:
        """All edits of users, in the order that counts; the same tuple while nothing is added."""
        return self._edits.read()

    def append(self, edit: NewEdit) -> Edit:
        """Add an edit, checked by who made it, durably."""
        if not self.exists():
            raise Missing(f"There is no collection {self.name!r} in this cache folder.")
        return self._edits.append(edit)

    def rewrite(
        self,
        clustering: Callable[[Clustering], Clustering],
        edit: Callable[[NewEdit], NewEdit],
        voices: Callable[[VoiceGrouping], VoiceGrouping] = lambda found: found,
    ) -> None:
        """Change how faces and voices are grouped and what edits say, and keep nothing of before.

        `clustering` and `voices` give back what they got where they change nothing. Raises
        CacheError; asked again it goes on.
        """
        self.face_files.rewrite(clustering)
        self.voice_files.rewrite(voices)
        self._edits.rewrite(edit)

    def version(self) -> Version:
        """The version, which changes with everything in it; costs three listings."""
        with cache_files.clear_errors(self._root):
            faces, voices = stamps(self.folder, CLUSTERINGS.name, VOICES.name)
        return Version(self._members.names(), self._edits.names(), faces, voices)

    def _create(self) -> None:
        with cache_files.clear_errors(self._root):
            found = _name_in(self.folder)
            if found is None:
                raw = msgspec.json.encode(_Name(self.name, time.time()))
                with cache_files.folder(self.folder, create=True) as folder:
                    cache_files.write_atomically(folder, _NAME_FILE, raw, "new")
            else:
                self._require_own(found)

    def _require_own(self, found: str) -> None:
        if found != self.name:
            raise CacheError(f"{self.folder / _NAME_FILE} names another collection: {found!r}.")


def _folder(cache_root: RootedPath, name: str) -> RootedPath:
    return cache_root / "collections" / folder_name(name)


def _name_in(folder: RootedPath) -> str | None:
    """The name of the Collection in a folder, None where it cannot be told."""
    try:
        raw = cache_files.read(folder / _NAME_FILE, limits.SMALL)
        return msgspec.json.decode(raw, type=_Name).name
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (UnusableFile, CacheError, *UNDECODABLE) as error:
        _log.warning("%s is damaged: %s", folder / _NAME_FILE, error)
        return None


def _hashes(log: Iterable[Addition[_MembersAdded]], model: str) -> frozenset[str]:
    """MediaFiles that ever joined with a model."""
    joined = (added.what for added in log if added.what.model == model)
    return frozenset(hash_str for what in joined for hash_str in what.hashes)


_FILE = "vocabulary.json"


class _Vocabulary(msgspec.Struct, frozen=True):
    words: tuple[str, ...]


class CollectionVocabulary:
    """Reads and writes the list of a Collection."""

    def __init__(self, collection: Collection) -> None:
        self._folder = collection.folder

    def read(self) -> tuple[str, ...]:
        """The words; none where there is no list, or a damaged one. Raises CacheError."""
        with cache_files.clear_errors(self._folder):
            try:
                raw = cache_files.read(self._folder / _FILE, limits.SMALL)
                return msgspec.json.decode(raw, type=_Vocabulary).words
            except (FileNotFoundError, NotADirectoryError):
                return ()
            except (UnusableFile, *UNDECODABLE) as error:
                _log.warning("%s is damaged: %s", self._folder / _FILE, error)
                return ()

    def write(self, words: tuple[str, ...]) -> None:
        """Replace the list, whole. Raises CacheError."""
        with (
            cache_files.clear_errors(self._folder),
            cache_files.folder(self._folder, create=True) as folder,
        ):
            cache_files.write_atomically(
                folder, _FILE, msgspec.json.encode(_Vocabulary(words)), "vocabulary"
            )

    def forget(self, names: Container[str]) -> None:
        """Drop these names, in the form of `spoken`. Raises CacheError."""
        words = self.read()
        left = tuple(word for word in words if spoken(word) not in names)
        if left != words:
            self.write(left)
