"""The list of words that belongs to a Collection: what is said in its footage, for speech models.

One small file beside its name; the last list that somebody wrote counts.
"""

from __future__ import annotations

import logging
from collections.abc import Container

import msgspec

from shared.cache import cache_files, limits
from shared.msgspec_decoding import UNDECODABLE
from shared.people.collection import Collection
from shared.people.names import spoken
from shared.unusable_files import UnusableFile

_log = logging.getLogger(__name__)
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
