"""Exact times of cuts: what was found is kept in the CacheDir, the rest is asked of query workers.

Scenes are known to the second. Who needs more waits a moment; what comes later is there next time.
"""

from __future__ import annotations

import asyncio
import bisect
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from api.async_tasks import end
from api.folders import Folders, quick_map
from api.http.concurrency import OUTAGES, own_slot
from api.query_client import QueryClient
from shared.cache import exact_cuts
from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest, Scene, Stage
from shared.errors import CacheError, FolderHangs
from shared.media import MediaType
from shared.query.messages import FindCuts, Lane

log = logging.getLogger(__name__)

_MOST_WAITING = 100  # films; of the next ones nothing is looked for until they are asked for again
_MOST_KEPT = 10_000  # films
_FAILED_FOR_S = 600.0  # before a film that could not be read is tried again
_A_QUESTION = 20  # cuts

_Key = tuple[str, str]  # hash and data file of the scenes


@dataclass(frozen=True, slots=True)
class Film:
    """An analyzed video; `path`: where it opens, None where it does not."""

    cache: CacheDir
    hash_str: str
    manifest: Manifest  # of its frames
    path: str | None

    @classmethod
    def of(cls, cache: CacheDir, hash_str: str, path: str | None) -> Film | None:
        """None where it has no scenes. Blocks."""
        manifest = cache.manifest(hash_str, Stage.FRAMES)
        if manifest is None or not manifest.scenes:
            return None
        if manifest.probe and manifest.probe.media_type is not MediaType.VIDEO:
            return None
        return cls(cache, hash_str, manifest, path)

    @property
    def key(self) -> _Key:
        return self.hash_str, self.manifest.file

    @property
    def cuts(self) -> list[int]:
        """The seconds of the grid at which a new scene begins."""
        return [scene.start for scene in self.manifest.scenes[1:]]

    def scene_at(self, second: int) -> Scene:
        """The scene to which a second of the grid counts."""
        scenes = self.manifest.scenes
        after = bisect.bisect_right(scenes, second, key=lambda scene: scene.start)
        return scenes[max(0, after - 1)]

    def before(self, cut: int) -> int:
        """The second of the grid whose picture is the last one before a cut."""
        seconds = self.manifest.seconds
        if seconds is None:
            return max(0, cut - 1)
        return seconds[max(0, bisect.bisect_left(seconds, cut) - 1)]


@dataclass(slots=True)
class _Search:
    """What is looked for in one film."""

    film: Film
    roots: tuple[str, ...] | None  # of the licence key
    due: set[int]
    task: asyncio.Task[None] | None = None


class ExactCuts:
    """One per process: `async with` ends what is being looked for."""

    def __init__(self, client: QueryClient, folders: Folders) -> None:
        self._client = client
        self._folders = folders
        self._searches: dict[_Key, _Search] = {}
        self._kept: dict[_Key, dict[int, float | None]] = {}
        self._failed: dict[tuple[_Key, str | None], float] = {}  # by film and where it lies
        # One question at a time, so that who waits for a picture finds a worker's other child free.
        self._turn = asyncio.Semaphore(1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await end(*(search.task for search in self._searches.values() if search.task))

    async def find(
        self,
        wanted: Sequence[tuple[Film, Iterable[int]]],
        within_s: float,
        roots: tuple[str, ...] | None = None,
    ) -> list[Mapping[int, float]]:
        """The exact seconds of cuts of each film, by their seconds on the grid, as far as known.

        What has to be looked for is waited for `within_s`, and found later all the same. `roots`:
        in which the films must lie, of the licence key that asks.
        """
        await self._read([film for film, cuts in wanted if film.key not in self._kept and cuts])
        tasks = []
        for film, cuts in wanted:
            missing = set(cuts) - self._kept.get(film.key, {}).keys()
            if missing and (task := self._look_for(film, missing, roots)):
                tasks.append(task)
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        found: list[Mapping[int, float]] = []
        for film, cuts in wanted:
            known = self._kept.get(film.key, {})
            each = ((cut, known.get(cut)) for cut in cuts)
            found.append({cut: seconds for cut, seconds in each if seconds is not None})
        return found

    async def _read(self, films: Sequence[Film]) -> None:
        """Take up what CacheDirs know of films of which this process knows nothing."""
        by_root: dict[str, list[Film]] = {}
        for film in films:
            by_root.setdefault(str(film.cache.root), []).append(film)
        for root, some in by_root.items():
            found = await self._folders.run(
                root,
                quick_map,
                self._folders.reader(root),
                lambda film: exact_cuts.read(film.cache, film.hash_str, film.manifest.file),
                some,
            )
            for film, known in zip(some, found, strict=True):
                self._keep(film, known)

    def _keep(self, film: Film, found: Mapping[int, float | None]) -> None:
        if len(self._kept) > _MOST_KEPT:
            self._kept.clear()
        self._kept.setdefault(film.key, {}).update(found)

    def _look_for(
        self, film: Film, cuts: set[int], roots: tuple[str, ...] | None
    ) -> asyncio.Task[None] | None:
        search = self._searches.get(film.key)
        if search is not None:
            search.due |= cuts
            return search.task
        failed_at = self._failed.get((film.key, film.path), float("-inf"))
        if film.path is None or time.monotonic() - failed_at < _FAILED_FOR_S:
            return None
        if len(self._searches) >= _MOST_WAITING:
            return None
        search = self._searches[film.key] = _Search(film, roots, cuts)
        search.task = asyncio.create_task(self._look(search), name="exact cuts")
        return search.task

    async def _look(self, search: _Search) -> None:
        """Find all that is due in one film, in turns with other films."""
        film = search.film
        try:
            with own_slot(f"Looking for cuts of {film.path}", *OUTAGES) as failure:
                while search.due:
                    async with self._turn:
                        found = await self._asked(search)
                    search.due -= found.keys()
                    self._keep(film, found)
                    await self._write(film, found)
            if failure.reason is not None:
                log.info("No exact cuts of %s: %s", film.path, failure.reason)
                self._failed[film.key, film.path] = time.monotonic()
        except OUTAGES as error:
            log.info("Exact cuts are looked for when they are asked for again: %s", error.message)
        finally:
            del self._searches[film.key]

    async def _write(self, film: Film, found: Mapping[int, float | None]) -> None:
        folder, names = str(film.cache.root), (film.hash_str, film.manifest.file)
        try:
            await self._folders.run(folder, exact_cuts.add, film.cache, *names, found)
        except (CacheError, FolderHangs) as error:  # this process knows them still
            log.warning("Exact cuts are not kept: %s", error.message)

    async def _asked(self, search: _Search) -> dict[int, float | None]:
        film = search.film
        assert film.path is not None
        cuts = sorted(search.due)[:_A_QUESTION]
        question = FindCuts(
            path=film.path,
            seconds=tuple((film.before(cut), cut) for cut in cuts),
            roots=search.roots,
        )
        answer = await self._client.ask(Lane.GRAB, question)
        return dict(zip(cuts, answer.places, strict=False))
