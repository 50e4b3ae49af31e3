"""`rushes up`: a private Redis and every process of Rushes on one machine, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import math
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from cli.checks.folders import check_folders
from cli.checks.models import default_model
from cli.checks.redis_server import check_redis
from cli.checks.server import local_address
from cli.processes import private_redis
from shared.domain import ModelKind
from shared.errors import RedisAway, SettingsError, os_errors_as
from shared.models import model_catalogue, voice_model
from shared.models.specs import ModelSpec
from shared.private_files import private
from shared.process import machine, memory, traces
from shared.process.listening import PortTaken, listen
from shared.redis.clients import connect
from shared.redis.console_sessions import ConsoleLinks
from shared.redis.licence_keys import KeyRecord, Keys
from shared.settings import PARENT_FD, Settings

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
AT_ONCE_S = 5.0  # a child that ends sooner after its start ended at once
SHORT_PAUSES = 3  # so many ends at once, all alike, are followed by the first pause
TERM_TO_KILL_S = 10.0


class LifeLine:
    """The pipe that tells children that this process is gone: none inherits its writing end."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


@dataclass
class _Pauses:
    """How long to wait before a child is started again: longer only if it keeps ending at once."""

    _last_end: str = ""
    _alike: int = 0  # ends at once in a row, all for the same reason

    def after(self, end: str, lived_s: float) -> float:
        if end != self._last_end or lived_s >= AT_ONCE_S:
            self._alike = 0
        self._last_end = end
        self._alike += 1
        return min(FIRST_PAUSE_S * 2.0 ** max(0, self._alike - SHORT_PAUSES), LONGEST_PAUSE_S)


@dataclass
class Child:
    """One process that must always run; `keep` until `stop`."""

    name: str
    command: tuple[str, ...]
    life_line: LifeLine
    environment: Mapping[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self) -> None:
        """Run the child, and again whenever it ends, until `stop`. Never gives up."""
        pauses = _Pauses()
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                end = _how(await self.run_once())
            except OSError as error:  # no memory or no process number left: that passes
                end = f"could not be started ({error})"
            if self.stopping.is_set():
                return
            pause_s = pauses.after(end, time.monotonic() - began)
            log.warning("%s %s; starting it again in %g s", self.name, end, pause_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause_s)

    async def run_once(self) -> int:
        """Run the child to its end; its exit status. What it leaves in its session is killed."""
        reading = self.life_line.reading
        process = await asyncio.create_subprocess_exec(
            *self.command,
            env={**os.environ, **self.environment, PARENT_FD: str(reading)},
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(reading,),
            start_new_session=True,
        )
        self.process = process
        self.starts += 1
        log.info("%s runs as process %d", self.name, process.pid)
        if self.stopping.is_set():  # asked to stop while it was being started
            self._signal(signal.SIGTERM)
        status = await process.wait()
        self.kill()
        self.process = None
        return status

    async def stop(self) -> None:
        """End the process by SIGTERM; after 10 s by SIGKILL to its whole session."""
        self.stopping.set()
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + TERM_TO_KILL_S
        while self.process is not None and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        if self.process is not None:
            log.warning("%s did not end in %g s and is killed", self.name, TERM_TO_KILL_S)
            self.kill()
        if self.starts:
            log.info("%s has ended", self.name)

    def kill(self) -> None:
        """Send SIGKILL to everything in the child's session."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)


def _how(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"


READY_TIMEOUT_S = 120.0
_HEAD_START_S = 10.0  # of the processes that answer searches and analyze
_POLL_S = 0.1
# Free memory at which a second query worker is started, in sizes of the first.
_ROOM_FOR_ANOTHER = 3.0
_ROOM_WHERE_IT_DIES = 1.5
_OFTEN = 2  # deaths of the first
_LOOK_FOR_ROOM_S = 10.0
_PORT_WAIT_S = 3.0  # an API of an earlier run may still be ending
Condition = Callable[[], Awaitable[bool]]
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(settings: Settings) -> int:
    """Run everything until SIGTERM or Ctrl-C; the exit status of the process."""
    traces.check(settings)
    for kind in ModelKind:
        default_model(settings, kind)  # a wrong name is said before anything runs
    check_folders(settings)
    check_redis(settings.redis_url)
    with _only_one(settings.state_dir):
        private_redis.end_left_behind(private_redis.data_dir(settings))
        return asyncio.run(Stack(settings).run())


@dataclass
class Stack:
    """The processes of one `rushes up`. Redis is the first up and the last down."""

    settings: Settings
    children: list[Child] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    life_line: LifeLine = field(default_factory=LifeLine)
    missing: str = ""  # why it is not ready, as last heard
    workers: dict[str, int] = field(default_factory=dict)  # that live, by kind
    is_loading: bool = False

    async def run(self) -> int:
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._told_to_stop)
        try:
            await self._start_all()
            await self.stopping.wait()
        finally:
            await self._stop_all()
        return 0

    async def _start_all(self) -> None:
        settings = self.settings
        await _check_port(settings)
        redis_url = settings.redis_url or await self._start_redis()
        if self.stopping.is_set():
            return
        key_file = first_key(settings, redis_url)
        environment = {"RUSHES_REDIS_URL": redis_url}
        self._start("api", "api", environment=environment)
        await self._pull_missing_weights(default_model(settings, ModelKind.VISUAL))
        first = self._start("query worker", "workers", "query", environment=environment)
        for number in range(2, (settings.query_workers or 1) + 1):
            self._start(f"query worker {number}", "workers", "query", environment=environment)
        self._start_analysis(environment)
        # The rest come when these have loaded: all at once would fight for the same cores.
        await self._until(self._has_loaded, _HEAD_START_S)
        self._start("recluster worker", "workers", "recluster", environment=environment)
        self._start("export worker", "workers", "export", environment=environment)
        self._start("watcher", "workers", "watcher", environment=environment)
        # Beside the rest: only transcripts and faces wait for them.
        self.tasks.append(asyncio.create_task(self._pull_the_rest()))
        if await self._until(self._is_ready, READY_TIMEOUT_S - _HEAD_START_S):
            await self._until(self._is_complete, _HEAD_START_S)
            _say_ready(settings, key_file, redis_url)
        elif not self.stopping.is_set():
            log.warning("not ready after %g s: %s", READY_TIMEOUT_S, self.missing)
            self.tasks.append(asyncio.create_task(self._say_when_ready(key_file, redis_url)))
        if settings.query_workers is None and not machine.has_gpu(settings):
            # The memory of a GPU is not measured here: there a second one is asked for.
            self.tasks.append(asyncio.create_task(self._add_query_worker(first, environment)))

    def _start_analysis(self, environment: dict[str, str]) -> None:
        log.info("starting %s", machine.in_words(self.settings))
        workers = machine.analysis_workers(self.settings)
        threads = machine.decode_threads(self.settings, workers)
        environment = {**environment, "RUSHES_DECODE_THREADS": str(threads)}
        for number in range(1, workers + 1):
            self._start(f"analysis worker {number}", "workers", "analysis", environment=environment)

    async def _add_query_worker(self, first: Child, environment: dict[str, str]) -> None:
        """Start a second query worker once the memory for it is free, so that one may die."""
        size = 0
        while not self.stopping.is_set():
            if first.process is not None:
                size = max(size, memory.session_bytes(first.process.pid))
            sizes = _ROOM_WHERE_IT_DIES if first.starts > _OFTEN else _ROOM_FOR_ANOTHER
            if size and memory.free_bytes() >= size * sizes:
                self._start("query worker 2", "workers", "query", environment=environment)
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), _LOOK_FOR_ROOM_S)

    async def _start_redis(self) -> str:
        data = private_redis.data_dir(self.settings)
        private_redis.remove_socket(data)
        url = private_redis.url_of(private_redis.make_socket_path(data))
        redis = self._start("redis", "cli.processes.private_redis")

        async def answers() -> bool:
            if redis.starts > 2:
                raise SettingsError("The private Redis does not start; the reason is above.")
            return private_redis.running_url(self.settings) is not None

        answered = await self._until(answers, private_redis.START_TIMEOUT_S)
        if not answered and not self.stopping.is_set():
            raise SettingsError(f"The private Redis on {data} does not answer.")
        return url

    async def _pull_the_rest(self) -> None:
        for kind in (ModelKind.SPEECH, ModelKind.FACES):
            await self._pull_missing_weights(default_model(self.settings, kind))
        if self.settings.speakers:
            await self._pull_missing_weights(voice_model.SPEC)

    async def _pull_missing_weights(self, spec: ModelSpec) -> None:
        """Fetch a model; without it the workers run and say what they miss."""
        if self.stopping.is_set() or model_catalogue.is_downloaded(self.settings, spec):
            return
        log.info("the weights of %s are missing: fetching them from %s", spec.key, spec.source)
        pull = self._child("models pull", "workers.models", "pull", spec.key)
        self.children.append(pull)  # so that a stop reaches it
        if await pull.run_once() != 0 and not self.stopping.is_set():
            log.warning(
                "no weights: run `%s models pull %s` when this is mended", _our_command(), spec.key
            )
        self.children.remove(pull)

    def _start(self, name: str, *module: str, environment: dict[str, str] | None = None) -> Child:
        child = self._child(name, *module, environment=environment)
        if not self.stopping.is_set():
            self.children.append(child)
            self.tasks.append(asyncio.create_task(child.keep(), name=name))
        return child

    def _child(self, name: str, *module: str, environment: dict[str, str] | None = None) -> Child:
        # -P: a folder called "api" where the user happens to stand must not be taken for ours.
        command = (sys.executable, "-P", "-m", *module)
        return Child(name, command, self.life_line, environment or {})

    async def _say_when_ready(self, key_file: Path | None, redis_url: str) -> None:
        """Say that all is ready once what was missing has come: a disk, the weights of a model."""
        if await self._until(self._is_ready):
            _say_ready(self.settings, key_file, redis_url)

    async def _is_ready(self) -> bool:
        """Whether nothing is missing and all that was started has its models."""
        url = f"{local_address(self.settings)}/api/v1/ready?require=models,roots"
        try:
            # verify=False: plain HTTP, and reading all certificates costs more than the answer.
            async with httpx.AsyncClient(timeout=2, trust_env=False, verify=False) as client:
                answer = await client.get(url)
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            self.missing = f"The API does not answer: {error}"
            return False
        self.missing = found.get("message", "A worker still loads its model.")
        self.workers, self.is_loading = found.get("workers", {}), found.get("loading", False)
        has_all = self.workers.get("analysis", 0) >= machine.analysis_workers(self.settings)
        return answer.status_code == 200 and has_all and not self.is_loading

    async def _has_loaded(self) -> bool:
        """Whether the first processes are there and load nothing, whatever else is missing."""
        is_ready = await self._is_ready()
        return is_ready or (not self.is_loading and {"query", "analysis"} <= self.workers.keys())

    async def _is_complete(self) -> bool:
        """Whether every kind of process has come: who hears that all is ready may use all."""
        kinds = {"query", "analysis", "recluster", "export", "watcher"}
        return await self._is_ready() and kinds <= self.workers.keys()

    async def _until(self, condition: Condition, timeout_s: float = math.inf) -> bool:
        """Whether a condition came true in time; False at once when we are told to stop."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not self.stopping.is_set() and asyncio.get_running_loop().time() < deadline:
            if await condition():
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), _POLL_S)
        return False

    def _told_to_stop(self) -> None:
        if self.stopping.is_set():
            log.warning("asked to stop twice: killing what still runs")
            for child in self.children:
                if child.name != "redis":
                    child.kill()
        self.stopping.set()

    async def _stop_all(self) -> None:
        if self.children:
            log.info("stopping")
        await asyncio.gather(*(child.stop() for child in self.children if child.name != "redis"))
        await asyncio.gather(*(child.stop() for child in self.children if child.name == "redis"))
        await asyncio.gather(*self.tasks)
        self.life_line.close()
        private_redis.remove_socket(private_redis.data_dir(self.settings))


def first_key(settings: Settings, redis_url: str) -> Path | None:
    """Create a Pro key where there is none; the file that holds it, None where there were keys.

    Only the key's hash is stored in Redis. `_say_ready` prints it to a terminal, never to a log.
    """
    with connect(redis_url) as client:
        store = Keys(client, settings.instance, settings.state_dir)
        if settings.license_keys or store.list():
            return None
        key = store.create("pro", "first key")
    path = settings.state_dir / "first-key"
    path.unlink(missing_ok=True)
    with open(path, "x", encoding="utf-8", opener=private) as file:
        file.write(key + "\n")
    return path


def _say_ready(settings: Settings, key_file: Path | None, redis_url: str) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    here = f"http://{host}:{settings.port}"
    url = settings.public_url or here
    where = f"{url} (on this machine: {here})" if settings.public_url else here
    if not sys.stdout.isatty():
        log.info("ready on %s%s", where, f"; a first key is in {key_file}" if key_file else "")
        return
    kept = settings.state_dir / "first-key"
    lines = ["", f"  Rushes is ready on {where}"]
    if settings.console:
        lines += [f"  Console         {console_link(settings, redis_url)}"]
        lines += [f"                  (signs in once; for another: {_our_command()} console)"]
    lines += [f"  API reference   {url}/api/v1/docs"]
    if key_file is not None:
        key = key_file.read_text(encoding="utf-8").strip()
        lines += [f"  Your first key  {key}", f"                  also in {key_file}"]
    elif kept.exists():
        lines += [f"  The first key   in {kept}"]
    lines += [f"  More keys       {_our_command()} keys create", "  To stop         Ctrl-C", ""]
    print("\n".join(lines), flush=True)


def _our_command() -> str:
    """`rushes` as it can be typed here: by its path unless PATH leads to this very one."""
    ours = Path(sys.executable).with_name("rushes")
    on_path = shutil.which("rushes")
    if on_path is not None and (not ours.exists() or Path(on_path).samefile(ours)):
        return "rushes"
    return shlex.quote(str(ours))


async def _check_port(settings: Settings) -> None:
    """Raise SettingsError unless the API can listen where it is told to."""
    deadline = asyncio.get_running_loop().time() + _PORT_WAIT_S
    while True:
        try:
            for one in listen(settings):
                one.close()
        except PortTaken:
            if asyncio.get_running_loop().time() > deadline:
                raise
        else:
            return
        await asyncio.sleep(_POLL_S)


@contextlib.contextmanager
def _only_one(state_dir: Path) -> Iterator[None]:
    """Hold STATE_DIR for this process; the kernel lets go of it however we end."""
    with os_errors_as(SettingsError, f"RUSHES_STATE_DIR: {state_dir} cannot be used"):
        lock = private(str(state_dir / "up.lock"), os.O_RDWR | os.O_APPEND | os.O_CREAT)
    with os.fdopen(lock, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise SettingsError(
                f"`rushes up` already runs on {state_dir} (process {file.read().strip()}): stop "
                "it first, or choose another RUSHES_STATE_DIR."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def console_link(settings: Settings, redis_url: str) -> str:
    """A link for the first key that may do everything; without one the bare address."""
    address = settings.public_url or local_address(settings)
    with contextlib.suppress(RedisAway), connect(redis_url) as client:
        keys = Keys(client, settings.instance, settings.state_dir, settings.license_keys)
        for key in filter(_may_do_everything, keys.list()):
            return ConsoleLinks(client, settings.instance).make(key.id, address)[0]
    return address


def _may_do_everything(key: KeyRecord) -> bool:
    bounds = (key.scopes, key.roots, key.expires_at)
    return key.tier == "pro" and all(bound is None for bound in bounds)
