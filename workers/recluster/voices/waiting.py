"""Files whose voices wait to be grouped, while more Items of their Task follow: `waiting/`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from shared.cache.cache_dir import CacheDir
from shared.people.addition_log import AdditionLog
from shared.people.collection import Collection


class _VoicesWait(msgspec.Struct, frozen=True):
    files: dict[str, str]  # hash_str -> name of the speakers artefact, "": none counts any more


class WaitingVoices:
    """What Items have left to later ones. It holds no voices, and stays when they are grouped."""

    def __init__(self, cache: CacheDir, collection: Collection) -> None:
        self._log: AdditionLog[_VoicesWait] = AdditionLog(
            collection.folder / "waiting", _VoicesWait, cache.root
        )

    def are_none(self) -> bool:
        return not self._log.names()

    def add(self, files: dict[str, str]) -> None:
        """Leave these to whoever groups next."""
        self._log.append(_VoicesWait(files))

    def among(self, grouped: Mapping[str, str]) -> set[str]:
        """Files that are not grouped as they were left last. `grouped`: as `add` has them."""
        left: dict[str, str] = {}
        for added in self._log.read():
            left.update(added.what.files)
        return {hash_str for hash_str, name in left.items() if name != grouped.get(hash_str, "")}
