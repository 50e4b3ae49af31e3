"""The Item of a recluster Task: groups all faces of a Collection anew, and voices that are new."""

from __future__ import annotations

import os
from functools import partial

from shared.cache import cache_files
from shared.cache.cache_dir import CacheDir
from shared.domain import ProgressType, ReclusterSpec
from shared.errors import BadInput
from shared.paths import Roots
from shared.people.claims import EDITS, EDITS_WAIT_S, turn
from shared.people.collection import Collection
from shared.people.edits import ClearNames
from workers.context import Context
from workers.presence.left_items import NotHere
from workers.recluster.detect_params import detect_params
from workers.recluster.grouping import Grouping, scale_of
from workers.recluster.loading import LoadedFaces
from workers.recluster.voice_upkeep import group_voices

_DETECTING = 0.4  # of the work, where eps and min_samples are derived


def recluster(context: Context) -> None:
    """Readers see the old grouping until the new one is published. Raises RushesErrors."""
    spec = context.spec(ReclusterSpec)
    cache = CacheDir.open(spec.cache_dir, Roots.cache(context.bench.settings), create=False)
    collection = Collection.open(cache.root, spec.collection, create=False)
    while not _grouped(context, spec, cache, collection):
        context.checkpoint()  # the Collection has changed its model meanwhile
    known = {*collection.members().hashes, *collection.voices().media}
    group_voices(cache, collection, known, context.checkpoint)
    if spec.clear_names:
        with cache_files.clear_errors(cache.root), turn(collection.folder, EDITS, EDITS_WAIT_S):
            collection.append(ClearNames())
    context.progress.file_ended(ProgressType.RECLUSTER, 0, "")


def _grouped(
    context: Context, spec: ReclusterSpec, cache: CacheDir, collection: Collection
) -> bool:
    model = collection.members().model
    if not model:  # nobody has joined yet
        return True
    scale = scale_of(context.bench.settings, model)
    start = 0.0

    def step(share: float, message: str) -> None:
        context.checkpoint()
        done = start + share * (1 - start)
        context.progress.report(ProgressType.RECLUSTER, min(done, 0.99), "", f"{message}.")

    def choose(loaded: LoadedFaces) -> tuple[float, int]:
        nonlocal start
        if not spec.auto_detect:
            return spec.eps, spec.min_samples
        found = detect_params(
            loaded.faces, scale, lambda share, message: step(share * _DETECTING, message)
        )
        start = _DETECTING
        return found

    return Grouping(cache, collection, model, scale, step).everything(choose)


def why_not(context: Context) -> NotHere | None:
    """Why another machine should do it: the CacheDir is not visible here."""
    spec = context.spec(ReclusterSpec)
    roots = Roots.cache(context.bench.settings)
    inside = (r for r in roots.folders or () if os.path.commonpath([spec.cache_dir, r]) == str(r))
    missing = next((str(root) for root in inside if not os.path.isdir(root)), None)
    if missing is None:
        try:
            CacheDir.open(spec.cache_dir, roots, create=False)
            return None
        except BadInput:
            missing = spec.cache_dir
    reason = f"{missing} is not visible on this machine."
    return NotHere(reason, is_over=partial(os.path.isdir, missing), waits_for=("root", missing))
