"""Keeps a Collection grouped while analysis adds faces to it."""

from __future__ import annotations

import time
from collections.abc import Collection as Several

from shared.cache.cache_dir import CacheDir
from shared.domain import AnalyzeSpec, ProgressType, Stage
from shared.people.clustering import Clustering
from shared.people.collection import Collection, Members
from workers.context import Context
from workers.recluster.grouping import Grouping, WantedParams, scale_of

_EVERY_S = 30.0  # while more Items of the Task follow
_CHEAP = 2_000  # faces that are grouped anew each time: it takes less than a second
_GROWTH = 1.5  # of a Collection since it was last grouped as a whole; then it is again


def bring_up_to_date(
    context: Context, spec: AnalyzeSpec, collection: Collection, hashes: Several[str]
) -> None:
    """Group the faces of these MediaFiles, and what others have added meanwhile.

    The last Item of a Task always does; earlier ones now and then, so that people can be seen
    while a long Task runs. Also whoever has made faces anew: nobody else would notice them.
    """
    cache = context.cache(spec.cache_dir)
    old = collection.clustering()
    if (
        old
        and abs(time.time() - old.made_at) < _EVERY_S  # by two clocks
        and not _made_anew(cache, old, hashes)
        and context.others_will_follow()
    ):
        return
    while not _grouped(context, spec, collection, hashes):
        context.checkpoint()  # the Collection has changed its model meanwhile


def _grouped(
    context: Context, spec: AnalyzeSpec, collection: Collection, hashes: Several[str]
) -> bool:
    cache = context.cache(spec.cache_dir)
    old = collection.clustering()
    members = collection.members()
    if not members.model:  # deleted just now
        return True
    wanted = WantedParams(spec.face_eps, spec.face_min_samples)

    def step(_share: float, message: str) -> None:
        context.checkpoint()
        context.progress.report(
            ProgressType.FACES, 0.0, "", f"{collection.name}: {message.lower()}."
        )

    scale = scale_of(context.bench.settings, members.model)
    grouping = Grouping(cache, collection, members.model, scale, step)
    if old is None or not _is_grouped_so(old, members, wanted):
        return grouping.everything(lambda _: wanted.over(old))
    news = _news(cache, old, members, hashes)
    if not news:
        return True
    count = len(old) - old.grouped_faces + sum(news.values())
    if len(old) + count <= _CHEAP or count > (_GROWTH - 1) * old.grouped_faces:
        return grouping.everything(lambda _: wanted.over(old))
    return grouping.newcomers(news)


def _made_anew(cache: CacheDir, old: Clustering, hashes: Several[str]) -> bool:
    """Whether a grouped MediaFile among these has other faces data now."""
    grouped = dict(zip(old.media, old.media_files, strict=True))
    for hash_str in grouped.keys() & hashes:
        manifest = cache.manifest(hash_str, Stage.FACES, old.model)
        if manifest and manifest.file != grouped[hash_str]:
            return True
    return False


def _is_grouped_so(old: Clustering, members: Members, wanted: WantedParams) -> bool:
    return old.model == members.model and wanted.over(old) == (old.eps, old.min_samples)


def _news(
    cache: CacheDir, old: Clustering, members: Members, hashes: Several[str]
) -> dict[str, int]:
    """Members that the grouping does not know, or not as they are now, with their faces."""
    grouped = dict(zip(old.media, old.media_files, strict=True))
    news = {}
    for hash_str in {*hashes, *(h for h in members.hashes if h not in grouped)}:
        manifest = cache.manifest(hash_str, Stage.FACES, old.model)
        if manifest and manifest.file != grouped.get(hash_str):
            news[hash_str] = manifest.rows
    return news
