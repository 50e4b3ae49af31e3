"""Has the scenes of analyzed footage found anew where this version finds others, as ingestion."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from api.async_tasks import end
from api.cache.view import CacheView
from api.services import Services
from api.tasks.acceptance import enqueue, note_accepted
from shared.cache import cache_files, limits, renewed_scenes
from shared.cache.cache_dir import CacheDir
from shared.cache.catalogue import Artefact, Entry, FollowState
from shared.domain import SCENES_BY, AnalyzeSpec, ProgressType, Stage, TaskKind, TaskState
from shared.errors import Busy, RedisAway, RushesError
from shared.ledger.records import SCENES, ItemFile, NewItem, NewTask, Sender
from shared.msgspec_decoding import UNDECODABLE
from shared.opening import OpenedFolder
from shared.unusable_files import UnusableFile

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 60.0
_AN_ITEM = 8  # files: hours of footage, some minutes of work
_AGAIN_S = 300.0  # after the end of a Task that was cancelled
_MARKER = f"scenes-{SCENES_BY}"  # up to where in the catalogue nothing is due, a FollowState


class SceneRenewal:
    """`async with`: it looks at each CacheDir that this process has opened until all is done."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._done: set[str] = set()  # keys of views in which nothing is left to be done
        self._tasks: dict[str, str] = {}  # by key of view: the newest Task for it, whoever sent it
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SceneRenewal:
        self._loop = asyncio.create_task(self._look_for_ever(), name="scene renewal")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._loop is not None:
            await end(self._loop)

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Look at the CacheDirs of which it is not known that all is done."""
        for view in self._services.caches.views():
            if view.key not in self._done:
                await self._look(view)

    async def _look(self, view: CacheView) -> None:
        """Where a disk is full or a share hangs, the others are looked at all the same."""
        folder = str(view.cache.root)
        try:
            await self._services.folders.run(folder, self._renew, view)
        except RedisAway as error:
            log.debug("The scenes in %s are looked at again later: %s", folder, error)
        except RushesError as error:
            self._done.add(view.key)
            log.warning("The scenes in %s stay as they are: %s", folder, error.message)

    def _renew(self, view: CacheView) -> None:
        """Submit a Task for what is due in a CacheDir, unless one is open or has ended."""
        ledger = self._services.ledger
        known = ledger.record(self._tasks[view.key]) if view.key in self._tasks else None
        if known and known.status is not TaskState.CANCELLED:
            if known.status.is_final:  # what has failed would fail again
                self._done.add(view.key)
            return
        if known and time.time() - (known.finished_at or 0.0) < _AGAIN_S:
            return
        due = _due(view.cache)
        if not due:
            self._done.add(view.key)
            return
        task = _task(view.cache, due, view.newest_paths())
        with suppress(Busy):
            ledger.submit(task)
            note_accepted(task)
            enqueue(self._services, task, front=False)
        if holder := ledger.holder(task.exclusive):
            self._tasks[view.key] = holder


def _due(cache: CacheDir) -> list[str]:
    """Hashes of what is due; that nothing is, is noted. Raises CacheError."""
    with (
        cache_files.clear_errors(cache.root),
        suppress(FileNotFoundError, NotADirectoryError),  # nothing was ever published there
        cache_files.folder(cache.root / "catalog") as catalog,
    ):
        noted = _noted(catalog)
        state = noted or FollowState()
        followed = cache.catalogue.follow(state)  # first: what comes meanwhile is for the next look
        is_first = noted is None or followed.lost
        hashes = cache.catalogue.hashes() if is_first else _with_frames(followed.entries)
        due = [h for h in sorted(hashes) if renewed_scenes.is_due(cache, h)]
        if not due and (is_first or followed.entries):
            cache_files.write_atomically(catalog, _MARKER, msgspec.json.encode(state), "marker")
        return due
    return []


def _noted(catalog: OpenedFolder) -> FollowState | None:
    """Up to where an earlier look found nothing due; None: there was none."""
    try:
        raw = cache_files.read_in(catalog, _MARKER, limits.FACTS)
        return msgspec.json.decode(raw, type=FollowState)
    except (FileNotFoundError, UnusableFile, *UNDECODABLE):
        return None


def _with_frames(entries: Iterable[Entry]) -> set[str]:
    """Hashes of whose frames these entries tell."""
    frames = (e for e in entries if isinstance(e, Artefact) and e.stage is Stage.FRAMES)
    return {entry.hash_str for entry in frames}


def _task(cache: CacheDir, due: list[str], paths: dict[str, str]) -> NewTask:
    folder = str(cache.root)
    items = []
    for first in range(0, len(due), _AN_ITEM):
        some = due[first : first + _AN_ITEM]
        spec = AnalyzeSpec(cache_dir=folder, files=(), cache_id=cache.id, renewed=tuple(some))
        files = (
            ItemFile(paths.get(hash_str, hash_str), (ProgressType.VIDEO,)) for hash_str in some
        )
        items.append(NewItem(msgspec.json.encode(spec), tuple(files)))
    return NewTask(
        kind=TaskKind.INGEST,
        items=items,
        queue=SCENES,
        message=f"Scenes in {folder} are found anew: waiting for a worker.",
        sender=Sender(label="scenes found anew"),
        exclusive=f"scenes:{cache.id}",
    )
