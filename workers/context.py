"""What the work on one Item may use: settings, its lease, its progress, models, `checkpoint`."""

from __future__ import annotations

import contextvars
import functools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TypeVar

import msgspec
import redis
from opentelemetry.trace import get_current_span

from shared.cache.cache_dir import CacheDir
from shared.domain import Fault, ModelKind, ProgressType, TaskState
from shared.errors import (
    CacheError,
    LeaseLost,
    MediaChanging,
    MediaError,
    MediaMissing,
    MediaSilent,
    MediaUnsupported,
    ModelError,
    NotAllowed,
    RedisAway,
    RushesError,
)
from shared.ledger.ledger import Ledger, WorkKind
from shared.ledger.records import Lease
from shared.media import HashCache
from shared.paths import Roots
from shared.settings import Settings
from workers.decode_pool import CoresOfItem, DecodePool
from workers.liveness import Signals, StallTimer
from workers.models.pool import ModelPool
from workers.models.protocols import FaceFinder, Transcriber, VisualEmbedder
from workers.models.turns import Turns
from workers.presence.seen_folders import SeenFolders

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 0.3
_AWAY_PAUSE_S = 5.0  # a report to a Redis that is away takes up to 3 s, in which the work stands

# The first that fits.
_FAULTS: tuple[tuple[type[Exception], Fault], ...] = (
    (MediaChanging, Fault.CHANGING),
    (MediaMissing, Fault.MISSING),
    (MediaUnsupported, Fault.UNSUPPORTED),
    (MediaSilent, Fault.NOTHING),
    (MediaError, Fault.FILE),
    (NotAllowed, Fault.FILE),
    (CacheError, Fault.CACHE),
    (ModelError, Fault.MODEL),
)


class ItemProgress:
    """Reports, throttled, and ends of files, kept until Redis takes them. For the Item's thread."""

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        self._ledger = ledger
        self._lease = lease
        self._reported_at = float("-inf")
        # The newest report of each kind, until its time has come.
        self._unsent: dict[ProgressType, Callable[[], object]] = {}
        self._ended_files: list[Callable[[], bool]] = []
        self._worked: dict[ProgressType, float] = {}  # seconds of the Item

    def report(
        self,
        kind: ProgressType,
        files_done: float,
        media_path: str,
        message: str = "",
        *,
        loading: bool = False,
    ) -> None:
        """Progress within the Item, in files. Throttled; dropped while Redis is away."""
        status = TaskState.LOADING_MODEL if loading else TaskState.RUNNING
        self._unsent[kind] = lambda: self._ledger.progress(
            self._lease,
            type=kind,
            fraction=files_done,
            media_path=media_path,
            message=message,
            status=status,
        )
        self.send_report(at_once=loading)

    def worked(self, kind: ProgressType, seconds: float) -> None:
        """`kind` was made of so many seconds of the Item's footage so far; told with reports."""
        self._worked[kind] = seconds

    def measured(self, kind: WorkKind, amount: float, seconds: float) -> None:
        """Tell how long such work took: for estimates alone, so a Redis that is away misses it."""
        with suppress(RedisAway):
            self._ledger.measured(kind.name, amount, seconds)

    def send_report(self, *, at_once: bool = False) -> None:
        """Send the newest reports if their time has come; for whoever waits and reports nothing."""
        now = time.monotonic()
        if not self._unsent or not (at_once or now - self._reported_at >= PROGRESS_EVERY_S):
            return
        unsent, self._unsent = self._unsent, {}
        self._reported_at = now
        try:
            for kind, send in unsent.items():
                self._tell_worked(kind)
                send()
        except RedisAway:
            self._reported_at = time.monotonic() + _AWAY_PAUSE_S

    def file_ended(
        self,
        kind: ProgressType,
        index: int,
        media_path: str,
        error: RushesError | None = None,
        *,
        skipped: bool = False,
    ) -> None:
        """One file has ended, well or by `error`. Kept until Redis takes it.

        `skipped`: what was wanted of it had been made before.
        """
        if error:
            get_current_span().record_exception(
                error, {"rushes.type": kind, "rushes.path": media_path}
            )
        self._unsent.pop(kind, None)
        self._ended_files.append(functools.partial(self._tell_worked, kind))
        self._ended_files.append(
            functools.partial(
                self._ledger.file_ended,
                self._lease,
                type=kind,
                index=index,
                media_path=media_path,
                error=error.message if error else None,
                fault=fault_of(error) if error else Fault.FILE,
                skipped=skipped,
            )
        )
        try:
            self.send_ended_files()
        except RedisAway:
            return

    def send_ended_files(self) -> None:
        """Send what is waiting, in order. Raises RedisAway and LeaseLost."""
        while self._ended_files:
            if not self._ended_files[0]():
                raise LeaseLost
            self._ended_files.pop(0)

    def _tell_worked(self, kind: ProgressType) -> bool:
        seconds = self._worked.get(kind)
        return seconds is None or self._ledger.worked(self._lease, kind, seconds)


def fault_of(error: Exception) -> Fault:
    """The Fault of an error; INTERNAL for what is no error of a file, a folder or a model."""
    return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), Fault.INTERNAL)


ResultT = TypeVar("ResultT")

_LOOK_EVERY_S = 0.1


class NativeCalls:
    """Runs native calls of any threads, in turn. Its own starts with the first call and dies with
    the process.

    A daemon, unlike an executor's threads: a process that ends need not wait for a call.

    A native call cannot be interrupted. Left alone it runs out here, and what comes after it (such
    as giving its model back) follows in order.
    """

    def __init__(self) -> None:
        self._todo: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def begin(self, function: Callable[[], ResultT]) -> Future[ResultT]:
        """Run `function` once all calls before it have ended; `result` waits for that."""
        future: Future[ResultT] = Future()
        context = contextvars.copy_context()  # its log records name the Task, too
        self._do(lambda: _fulfil(future, lambda: context.run(function)))
        return future

    def result(self, future: Future[ResultT], checkpoint: Callable[[], None]) -> ResultT:
        """What the function of `begin` returned or raised.

        `checkpoint` is called about every 0.1 s; what it raises ends the waiting. A function
        that has not begun by then never does.
        """
        try:
            while not wait([future], _LOOK_EVERY_S).done:
                checkpoint()
        except BaseException:  # `checkpoint` raises Cancelled and its like, which are no Exceptions
            future.cancel()
            raise
        return future.result()

    def afterwards(self, function: Callable[[], object]) -> None:
        """Run the function when all calls so far have ended, and do not wait for that."""
        self._do(function)

    def have_ended(self, within_s: float) -> bool:
        """Whether all calls so far end within this time."""
        ended = threading.Event()
        if self._thread is None:
            return True
        self._do(ended.set)
        return ended.wait(within_s)

    def _do(self, step: Callable[[], object]) -> None:
        self._todo.put(step)
        with self._starting:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="native-calls", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._todo.get()()
            except Exception:
                # Without this thread every later call would wait for ever.
                log.exception("What had to follow a native call failed")


def _fulfil(future: Future[ResultT], function: Callable[[], ResultT]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001  raised where the result is waited for
        future.set_exception(error)


T = TypeVar("T")

_ASK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Bench:
    """What all Items of a worker process share."""

    settings: Settings
    client: redis.Redis
    ledger: Ledger
    worker: str  # its name
    pool: ModelPool
    decoders: DecodePool
    hashes: HashCache = field(default_factory=HashCache)
    batches: NativeCalls = field(default_factory=NativeCalls)  # in the models of pictures
    turns: Turns = field(default_factory=Turns)  # of calls by `Context.native`


@dataclass
class Context:
    """All that the code that does an Item may use; made anew for each Item."""

    bench: Bench
    lease: Lease
    signals: Signals
    stall: StallTimer
    native: NativeCalls  # calls that may take minutes
    cores: CoresOfItem
    say: Callable[[str], None] = lambda _message: None
    counts: Counter[str] = field(default_factory=Counter)  # of the Item's thread; heartbeats tell
    result: bytes = b""  # JSON that the ledger keeps when the Item is done
    reason: str = ""  # why, where the Item is done and none of its files could be used
    progress: ItemProgress = field(init=False)
    folders: SeenFolders = field(init=False)
    _spec: object = None

    def __post_init__(self) -> None:
        bench, task_id = self.bench, self.lease.task_id
        self.progress = ItemProgress(bench.ledger, self.lease)
        roots = Roots.media(bench.settings).folders
        self.folders = SeenFolders(bench.client, bench.settings.instance, task_id, roots)

    def spec(self, kind: type[T]) -> T:
        """Return what the Item asks for, decoded when it is first wanted."""
        if not isinstance(self._spec, kind):
            self._spec = msgspec.json.decode(self.lease.spec, type=kind)
        return self._spec

    def others_will_follow(self) -> bool:
        """Whether Items of the Task wait that a worker has yet to begin."""
        try:
            return self.bench.ledger.queued_items(self.lease.task_id) > 0
        except RedisAway:
            return False

    def checkpoint(self) -> None:
        """Note that the work advances, between frames and batches, and end it when it must.

        Raises Cancelled, LeaseLost or HandBack, which no frame loop may catch, and
        MediaUnreadable where the file in hand takes longer than any like it.
        """
        self.stall.arm()
        self.signals.raise_if_set()

    def come_to(self, index: int, what: str, seconds: float) -> None:
        """Note where in a file of the Item the work is: two workers that stall there are enough."""
        self.signals.place = f"{index} {what} at {seconds:,.0f} s"

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Give the work on one file so much time; `checkpoint` ends it then."""
        self.signals.file_until = time.monotonic() + seconds
        try:
            yield
        finally:
            self.signals.file_until = None
            self.signals.place = ""

    def confirm(self) -> None:
        """Make sure of the lease, right before something that must not be published twice.

        `checkpoint` knows what the keeper heard last, which after a sleep of this process may be
        long ago; this asks the ledger itself, and waits for a Redis that is away. Raises as
        `checkpoint` does.
        """
        while True:
            self.checkpoint()
            try:
                verdict = self.bench.ledger.renew(self.lease)
            except RedisAway:
                time.sleep(_ASK_AGAIN_S)
                continue
            self.signals.lost |= verdict == "lost"
            self.signals.stop |= verdict == "stop"
            self.signals.give_back |= verdict == "yield"
            self.signals.raise_if_set()
            return

    def judge(self, path: str, error: RushesError) -> None:
        """Make sure that a file is to blame for its failure, not a disk that has gone away.

        Raises NotHereAnyMore where it may not be, and as `checkpoint` does.
        """
        while True:
            self.checkpoint()
            try:
                return self.folders.check(path, error)
            except RedisAway:
                time.sleep(_ASK_AGAIN_S)

    def cache(
        self, path: str, known_id: str = "", key_roots: tuple[str, ...] | None = None
    ) -> CacheDir:
        """The CacheDir of this Item, made when it is not there yet.

        With `known_id` no other one will do: an absent mount leaves an empty folder. `key_roots`:
        of the licence key that wants it. Raises CacheError.
        """
        roots = Roots.cache(self.bench.settings).within(key_roots)
        if known_id and not CacheDir.is_known(path, known_id, roots):
            raise CacheError(
                f"The cache folder {path} is gone, or another one lies there. Is its disk mounted?"
            )
        return CacheDir.open(path, roots, create=True)

    def call(self, function: Callable[[], T]) -> T:
        """Make one native call that may take minutes. Raises as `checkpoint` does.

        At a stop the call is left alone: it runs out in its own thread and its result is lost.
        """

        def waiting() -> None:
            self.signals.raise_if_set()
            self.progress.send_report()

        turn = self._take_turn(waiting)
        with self.stall.wide():
            call = self.native.begin(function)
            call.add_done_callback(lambda _: self.bench.turns.leave(turn))
            return self.native.result(call, waiting)

    def _take_turn(self, waiting: Callable[[], None]) -> threading.Event:
        """Wait for the calls of other Items; each may take as long as one of ours."""
        began, file_until = time.monotonic(), self.signals.file_until
        self.signals.file_until = None  # the file does not take this time
        turn = self.bench.turns.join()
        with ExitStack() as undo:
            undo.callback(self.bench.turns.leave, turn)
            while not turn.is_set():
                ended = self.bench.turns.ended
                with self.stall.wide():
                    while self.bench.turns.ended == ended and not turn.wait(_ASK_AGAIN_S):
                        waiting()
            undo.pop_all()
        if file_until is not None:
            self.signals.file_until = file_until + time.monotonic() - began
        return turn

    def visual_model(self, key: str) -> AbstractContextManager[VisualEmbedder]:
        """Lend the warm visual model for the block; says so where it must be loaded first."""
        lend = self.bench.pool.lend(ModelKind.VISUAL, key)
        return self._lent(lend, ModelKind.VISUAL, key, ProgressType.VIDEO)

    def face_model(self, key: str) -> AbstractContextManager[FaceFinder]:
        """The warm face model, lent for the block; says so when it has to be loaded first."""
        lend = self.bench.pool.lend(ModelKind.FACES, key)
        return self._lent(lend, ModelKind.FACES, key, ProgressType.FACES)

    @contextmanager
    def speech_model(self, key: str) -> Iterator[Transcriber]:
        """The warm speech model, lent for the block; says so when it has to be loaded first.

        Use it through `call` alone. The model goes back when the last call has ended, which may be
        after a stop has ended the block.
        """
        lent = ExitStack()
        try:
            self._say_if_cold(ModelKind.SPEECH, key, ProgressType.AUDIO)
            lend = self.bench.pool.lend(ModelKind.SPEECH, key)
            model = self.call(lambda: lent.enter_context(lend))
            self.say("")
            yield model
        finally:
            self.native.afterwards(lent.close)

    @contextmanager
    def _lent(
        self, lend: AbstractContextManager[T], kind: ModelKind, key: str, part: ProgressType
    ) -> Iterator[T]:
        """Lent until the last batch has ended, which may be after the block."""
        lent = ExitStack()
        try:
            with self.stall.wide():
                self._say_if_cold(kind, key, part)
                model = lent.enter_context(lend)
            self.say("")
            yield model
        finally:
            self.bench.batches.afterwards(lent.close)

    def _say_if_cold(self, kind: ModelKind, key: str, part: ProgressType) -> None:
        states = self.bench.pool.states()
        if any((s.kind, s.model_key) == (kind, key) and s.is_loaded for s in states):
            return
        self.signals.place = ""  # what happens now is no fault of the file
        message = f"Loading the model {key}."
        self.say(message)
        self.progress.report(part, 0.0, "", message, loading=True)
