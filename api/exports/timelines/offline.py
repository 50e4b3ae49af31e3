"""What is known of media that is away: a timeline can be cut from it all the same."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.view import CacheView
from api.http.services import CoreServices
from shared.domain import Probe
from shared.errors import MediaUnreadable


class OutOfReach(MediaUnreadable):
    """A file whose place does not answer."""


def last_known(services: CoreServices, cache_dir: str, paths: Sequence[str]) -> dict[str, Probe]:
    """What the files at these paths were when they were analyzed, as far as the folder knows.

    Blocks. Raises as `Caches.open`.
    """
    view = services.caches.open(cache_dir)
    hashes = services.caches.hashes_for(view, paths)
    known = {h: probe for h in set(hashes) if h and (probe := _probe(view, h))}
    return {path: known[h] for path, h in zip(paths, hashes, strict=True) if h in known}


def _probe(view: CacheView, hash_str: str) -> Probe | None:
    """The newest that a stage has noted."""
    noted = sorted(view.cache.manifests(hash_str), key=lambda manifest: -manifest.made_at)
    return next((manifest.probe for manifest in noted if manifest.probe), None)
