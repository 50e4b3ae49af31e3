"""Names of a person among the words that speech models were given, as transcripts record them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container

import msgspec
from msgspec import UNSET

from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest
from shared.errors import CacheError
from shared.people.names import spoken


def forget_words(cache: CacheDir, names: Container[str], go_on: Callable[[], None]) -> None:
    """Drop these names, in the form of `spoken`, from all transcripts' manifests.

    `go_on`: called before each file. Raises CacheError.
    """
    for hash_str in sorted(cache.catalogue.hashes()):
        go_on()
        with (
            cache_files.clear_errors(cache.root),
            contextlib.suppress(FileNotFoundError),
            cache_files.folder(cache.media_dir(hash_str)) as folder,
        ):
            for name, found in cache_files.manifests_in(folder, Manifest, _is_of_transcript):
                if isinstance(found, CacheError) or found.vocabulary is UNSET:
                    continue
                left = tuple(word for word in found.vocabulary if spoken(word) not in names)
                if left != found.vocabulary:
                    new = msgspec.structs.replace(found, vocabulary=left)
                    cache_files.write_atomically(folder, name, msgspec.json.encode(new), "delete")


def _is_of_transcript(name: str) -> bool:
    return "manifest.transcript." in name and name.endswith(".json")  # also of one that can be undone
