"""SearchIndex: loads what CacheDirs hold into merged arrays and searches them. Sync, thread-safe.

Everything published in a CacheDir counts as loaded: searching brings the array up to date first,
so replicas and restarts see the same data. `load` looks harder, and reports what is unusable.
A request opens its CacheView once, and passes it to whatever it calls.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from api.cache.caches import Caches, LruCache
from api.cache.view import Announced, CacheView
from api.people.frame_filter import FrameFilter
from api.search.answers import Skipped
from api.search.codes.store import CodeStore
from api.search.filtering.facts import FactsIndex
from api.search.frames.log import (
    VectorLog,
    VectorSnapshot,
    VectorWriter,
    VisualData,
    manifest_path,
    read_visual,
)
from api.search.frames.ranking import Matching
from api.search.index_log import LOAD_WAIT_S, SEARCH_WAIT_S, Key, Loader
from api.search.paging.pages import HitPage, Picker, TheBest, picked
from api.search.scenes.scene_store import SceneStore, ranges_for, thread_for_leisure
from api.search.transcripts.index import TranscriptIndex
from api.search.types import (
    FrameSearch,
    Hit,
    LoadReport,
    QueryVectors,
    VectorArray,
)
from shared.cache import cache_files
from shared.errors import CacheError, ModelError
from shared.opening import RootedPath


class VectorLoader(Loader[Announced, VisualData, VectorSnapshot, VectorWriter]):
    """Loads visual artefacts by one model."""

    read_at_once = 1  # hours of frames take megabytes

    def __init__(self, view: CacheView, model: str, log: VectorLog, pool: Executor) -> None:
        super().__init__(view, log, pool)
        self._model = model

    def _announced(self) -> Mapping[Key, Announced]:
        announced = self._view.announced(self._model)
        return {(hash_str, self._model): source for hash_str, source in announced.items()}

    def _correct(self, key: Key, source: Announced | None) -> None:
        self._view.correct(*key, source)

    def _held(self, snapshot: VectorSnapshot) -> Mapping[Key, Announced]:
        return {
            (file.hash_str, self._model): (file.file, file.frames) for file in snapshot.by_start
        }

    def _read(self, key: Key, wait_s: float) -> tuple[Announced, VisualData] | None:
        found = read_visual(self._view.cache, *key, wait_s=wait_s)
        return None if found is None else ((found.file, found.frames), found)

    def _add(
        self, writer: VectorWriter, key: Key, source: Announced, content: VisualData
    ) -> str | None:
        dim = content.vectors.shape[1]
        if writer.dim not in (None, dim):
            return f"Its vectors have {dim} dimensions, those of the other files {writer.dim}."
        writer.add(key[0], content)
        return None

    def _manifest_path(self, key: Key) -> RootedPath:
        return manifest_path(self._view.cache, *key)

    def keys(self, hashes: Iterable[str]) -> list[Key]:
        """Keys of the artefacts of MediaFiles."""
        return [(hash_str, self._model) for hash_str in hashes]


class SearchIndex:
    """Searches embeddings; one a process. `close` it at the end."""

    def __init__(self, state_dir: Path, caches: Caches) -> None:
        self.caches = caches
        self._state = state_dir / "search"
        self._of_views: LruCache[CacheView, dict[str, _Embeddings]] = LruCache(caches.capacity)
        self._threads = min(4, os.cpu_count() or 1)
        self._scan_pool = ThreadPoolExecutor(self._threads, "scan")
        self._coding = ThreadPoolExecutor(1, "codes")
        self._leisure = thread_for_leisure()
        self._is_closing = threading.Event()
        self.transcripts = TranscriptIndex(
            state_dir / "transcripts", caches, self._scan_pool, self._threads
        )
        self.facts = FactsIndex(state_dir / "facts", caches)

    def close(self) -> None:
        self._is_closing.set()
        self._leisure.shutdown(cancel_futures=True)
        self._coding.shutdown(cancel_futures=True)
        self._scan_pool.shutdown()

    def load(self, view: CacheView) -> LoadReport:
        """Bring everything in a folder, opened thoroughly, up to date, and forget what is gone."""
        skipped: dict[str, str] = {}
        files: dict[str, int] = {}
        warnings = []
        for model in sorted(view.models()):
            embeddings = self._embeddings(view, model)
            loader = embeddings.loader
            loader.bring_up(LOAD_WAIT_S, retry=True)
            known = loader.keys(loader.snapshot().files)
            loader.forget_deleted(known, LOAD_WAIT_S, time.monotonic())
            self._have_prepared(embeddings, loader.snapshot())
            skipped |= {key[0]: reason for key, reason in loader.unusable().items()}
            if shortage := embeddings.matching.store.shortage(loader.snapshot()):
                warnings.append(f"{model}: {shortage}")
            for merged in loader.snapshot().files.values():
                files[merged.hash_str] = max(files.get(merged.hash_str, 0), merged.rows)
        spoken = self.transcripts.load(view, look_for_more=False)
        try:
            self.facts.load(view)
        except CacheError as error:  # only searches with filters need them
            warnings.append(error.message)
        report = _report(files, skipped)
        return replace(
            report,
            transcription_files=spoken.transcription_files,
            skipped=report.skipped + spoken.skipped,
            warnings=warnings,
        )

    def load_for_media(self, view: CacheView, hashes: Sequence[str]) -> LoadReport:
        """Bring the visual data of some MediaFiles up to date: their folders are looked into."""
        view.look_at(hashes)
        wanted = set(hashes)
        skipped: dict[str, str] = {}
        files: dict[str, int] = {}
        for model in sorted(view.models()):
            loader = self._embeddings(view, model).loader
            loader.bring_up(LOAD_WAIT_S, retry=True)
            asked = loader.keys(wanted & loader.snapshot().files.keys())
            loader.forget_deleted(asked, LOAD_WAIT_S, time.monotonic())
            known = loader.snapshot().files
            for hash_str in wanted & known.keys():
                files[hash_str] = max(files.get(hash_str, 0), known[hash_str].rows)
            skipped |= {h: why for (h, _), why in loader.unusable().items() if h in wanted}
        return replace(_report(files, skipped), missing=wanted - files.keys())

    def search(
        self,
        view: CacheView,
        model_key: str,
        query: QueryVectors,
        hashes: Iterable[str] | None,
        max_results: int,
        only_frames: FrameFilter | None = None,
        instead: Callable[[str], None] | None = None,
    ) -> list[Hit]:
        """Matches, best first. `hashes` None: the whole folder; `only_frames`: these only."""
        wanted = None if hashes is None else set(hashes)
        search = FrameSearch(model_key, query, wanted, only_frames, instead)
        best: TheBest[Hit] = TheBest(max_results)  # TheBest[Hit](…) fails before Python 3.11.9
        return self.page(view, search, best).hits

    def page(self, view: CacheView, search: FrameSearch, picker: Picker[Hit]) -> HitPage[Hit]:
        """The page that `picker` picks of the matches; it keeps none that `search` leaves out."""
        embeddings = self._embeddings(view, search.model)
        loader = embeddings.loader
        first = replace(search, least=None)  # often enough, and quicker found among all
        began = time.monotonic()
        while True:
            snapshot = loader.bring_up(SEARCH_WAIT_S, retry=False)

            def ranked(most: int, snapshot: VectorSnapshot = snapshot) -> list[Hit]:
                return _rank(embeddings, snapshot, first if most == picker.first else search, most)

            page = picked(picker, ranked)
            self._have_prepared(embeddings, snapshot)
            found = {hit.hash_str for hit in page.hits}
            if not loader.forget_deleted(loader.keys(found), SEARCH_WAIT_S, began):
                break
            began = time.monotonic()  # what was seen before says nothing of what is there now
        paths = self.caches.best_paths(view, found, began)
        hits = [msgspec.structs.replace(hit, path=paths[hit.hash_str]) for hit in page.hits]
        return replace(page, hits=hits)

    def count(self, view: CacheView, model_key: str) -> int:
        """Frames that a search of the whole folder looks at, about."""
        loader = self._embeddings(view, model_key).loader
        return len(loader.bring_up(SEARCH_WAIT_S, retry=False).vectors)

    def stored_vector(
        self, view: CacheView, model_key: str, hash_str: str, second: int
    ) -> VectorArray | None:
        """The embedding of a grid frame, None where it was not analysed with this model."""
        loader = self._embeddings(view, model_key).loader
        snapshot = loader.bring_up(SEARCH_WAIT_S, retry=False)
        merged = snapshot.files.get(hash_str)
        if merged is None or loader.deleted(loader.keys([hash_str]), time.monotonic()):
            return None
        seconds = snapshot.rows["second"][merged.start : merged.start + merged.rows]
        row = int(np.searchsorted(seconds, second))
        if row == len(seconds) or int(seconds[row]) != second:
            return None
        vector: VectorArray = snapshot.vectors[merged.start + row].astype(np.float32)
        return vector

    def _embeddings(self, view: CacheView, model: str) -> _Embeddings:
        """What is at hand for the embeddings of a folder by this visual model."""
        by_model = self._of_views.get(view, dict)
        if model not in by_model:
            log = VectorLog(self._state / view.key / cache_files.encoded_model(model))
            loader = VectorLoader(view, model, log, view.reader)
            matching = Matching(CodeStore(), self._scan_pool, self._threads)
            # Another thread may have been faster: all use one.
            by_model.setdefault(model, _Embeddings(loader, matching, SceneStore()))
        return by_model[model]

    def _have_prepared(self, embeddings: _Embeddings, snapshot: VectorSnapshot) -> None:
        """Have codes and scenes made for what has none, while searches go on without them."""
        codes, scenes = embeddings.matching.store, embeddings.scenes
        if self._is_closing.is_set():
            return
        if codes.begin(snapshot):
            self._coding.submit(codes.make, snapshot, self._is_closing.is_set)
        if scenes.begin(snapshot):
            self._leisure.submit(scenes.bring_up, snapshot, self._is_closing.is_set)


@dataclass(frozen=True, slots=True)
class _Embeddings:
    loader: VectorLoader
    matching: Matching
    scenes: SceneStore


def _rank(
    embeddings: _Embeddings, snapshot: VectorSnapshot, search: FrameSearch, max_results: int
) -> list[Hit]:
    hashes = search.hashes
    if search.frames is not None:
        shown, _ = search.frames.files()
        hashes = set(shown) if hashes is None else hashes & set(shown)
    if hashes is not None and snapshot.files.keys() <= hashes:
        hashes = None  # searches of everything share their passes
    ranges = snapshot.ranges(hashes)
    if not ranges:
        return []
    _check_dimension(search.vectors, snapshot.dim)
    if search.instead is not None:
        found = ranges_for(embeddings.scenes, snapshot, search, max_results)
        if isinstance(found, str):
            search.instead(found)
        else:
            ranges = found
    return embeddings.matching.hits(snapshot, search, ranges, max_results)


def _check_dimension(query: QueryVectors, dim: int) -> None:
    for vectors in (query.query, query.picture, query.exclude):
        if vectors is not None and len(vectors) and vectors.shape[-1] != dim:
            raise ModelError(
                f"The model gives {vectors.shape[-1]} dimensions, the analysed files have {dim}: "
                "analyze them again with force."
            )


def _report(files: dict[str, int], skipped: dict[str, str]) -> LoadReport:
    reasons = [Skipped(hash_str=h, reason=reason) for h, reason in sorted(skipped.items())]
    return LoadReport(visual_files=len(files), frames=sum(files.values()), skipped=reasons)
