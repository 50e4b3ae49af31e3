"""How many MediaFiles were seen below folders, as more are seen."""

from __future__ import annotations

import threading
import unicodedata

from api.cache.view import SeenPlaces
from shared.cache.catalogue import Seen


class _Paths(dict[str, dict[str, Seen]]):
    """Counts how often a MediaFile is asked where it was seen."""

    asked = 0

    def __getitem__(self, hash_str: str) -> dict[str, Seen]:
        self.asked += 1
        return super().__getitem__(hash_str)

    def see(self, hash_str: str, path: str) -> None:
        self.setdefault(hash_str, {})[path] = Seen(hash_str, path, 1, 1, 1.0)


def test_files_are_counted_below_each_folder_and_read_through_once() -> None:
    paths = _Paths()
    composed, other = (unicodedata.normalize(form, "/m/Ü") for form in ("NFC", "NFD"))
    for hash_str, path in (
        ("1", "/m/a/x.mov"),
        ("2", "/m/a/deep/y.mov"),
        ("3", "/m/a.mov"),
        ("4", f"{other}/z.mov"),
        ("5", "/m/a b/x.mov"),
        ("6", "/m/a/not analyzed.mov"),
    ):
        paths.see(hash_str, path)
    paths.see("1", "/m/a/copy.mov")
    seen = SeenPlaces(threading.Lock(), paths)
    analyzed = {"1", "2", "3", "4", "5", "7"}
    folders = ["/m/a", composed, other, "/m/none", "/m/a/", "/"]
    assert seen.counts_below(folders, analyzed) == [2, 1, 1, 0, 2, 5]
    asked = paths.asked
    paths.see("7", "/m/none/late.mov")
    seen.note("7", "/m/none/late.mov")
    assert seen.counts_below(folders, analyzed) == [2, 1, 1, 1, 2, 6]
    assert (asked, paths.asked) == (6, 6)
