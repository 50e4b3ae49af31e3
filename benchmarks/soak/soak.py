"""Kills the processes of a server one after the other, under load, and says what came of it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av

from benchmarks.soak.load import WITHIN_S, Load
from cli.processes.private_redis import lives
from shared.cache.cache_dir import CacheDir
from tests.support import rushes_up
from tests.support.people.grouping_desk import GroupingDesk, shots
from tests.support.rushes_up import Up
from tests.support.stack import models_dir
from tests.support.waiting import wait_for

KEY = "soak-key"
MOST_S = 20.0  # from a kill to work
LEAST_ANSWERED = 0.99
PAUSES_S = (3.0, 8.0)  # between two kills
_IN_FLIGHT_S = 0.3  # what is heard so soon after a kill was done before it
# Kind -> what its work is noted as, and the names of its processes at the supervisor.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "API": ("api", ("api",)),
    "analysis": ("analysis", ("analysis worker 1",)),
    "query": ("search", ("query worker", "query worker 2")),
    "export": ("export", ("export worker",)),
    "recluster": ("recluster", ("recluster worker",)),
    "watcher": ("watcher", ("watcher",)),
    "Redis": ("redis", ("redis-server",)),
}


@dataclass
class Result:
    """What a soak found. `broken`: what does not hold, in sentences; empty where all does."""

    gaps: dict[str, list[float]] = field(default_factory=dict)  # seconds from each kill to work
    lines: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def soak(folder: Path, seconds: float, seed: int) -> Result:
    """Run it all on a new folder; takes a minute more than `seconds`."""
    with _server(folder) as up:
        load = Load(f"http://127.0.0.1:{up.port}", KEY, folder)
        load.start()
        try:
            kills = _kill(up, random.Random(seed), time.monotonic() + seconds)
            _wait_for_work(load, kills)
        finally:
            load.stop()
        _wait_for_ingestion(load)
    return _judge(load, kills, folder)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[Up]:
    models = folder / "models"
    pack = models / "insightface" / "squares"
    pack.mkdir(parents=True)
    (pack / "det_none.onnx").write_bytes(b"none")
    (pack / "rushes-faces.json").write_text('{"person": 0.8, "track": 0.97}')
    for name in ("conse-lite0", "whisper-base"):
        (models / name).symlink_to(models_dir() / name)
    people = GroupingDesk(CacheDir.open(folder / "cache", create=True))
    people.add(1, shots(*range(4), each=10))
    up = rushes_up.start(
        folder,
        RUSHES_LICENSE_KEYS=KEY,
        RUSHES_MODELS_DIR=str(models),
        RUSHES_FACE_MODEL="insightface-squares",
    )
    try:
        up.wait_for_line("ready on http")
        yield up
    finally:
        rushes_up.end(up)


def _kill(up: Up, chance: random.Random, until: float) -> list[tuple[str, float]]:
    """Kill by kill, every kind as often as the others; the kinds and moments."""
    kills: list[tuple[str, float]] = []
    deck: list[str] = []
    while time.monotonic() + PAUSES_S[1] < until:
        time.sleep(chance.uniform(*PAUSES_S))
        if not deck:
            deck = chance.sample(sorted(KINDS), len(KINDS))
        kind = deck.pop()
        pid = _pid(up, chance.choice(KINDS[kind][1]))
        if lives(pid):
            os.kill(pid, signal.SIGKILL)
            kills.append((kind, time.monotonic()))
    return kills


def _wait_for_work(load: Load, kills: list[tuple[str, float]]) -> None:
    """Until all that was killed has worked, or has had its time."""

    def has_worked() -> bool:
        return all(_gap(load.notes.done[KINDS[kind][0]], at) < MOST_S for kind, at in kills)

    with contextlib.suppress(AssertionError):
        wait_for(has_worked, MOST_S, "work of all that was killed", every_s=0.5)


def _pid(up: Up, name: str) -> int:
    if name == "redis-server":
        return int((up.state_dir / "redis" / "redis.pid").read_text())
    if name == "query worker 2" and f"{name} runs" not in up.text():
        name = "query worker"
    return up.pid_of(name)


def _wait_for_ingestion(load: Load) -> None:
    wanted = {str(path) for path in load.dropped}
    load.stopping.clear()
    with contextlib.suppress(AssertionError):
        wait_for(lambda: wanted <= load.listed("processed"), 60, "the watch folder", every_s=0.5)
        return
    missing = wanted - load.listed("processed")
    load.notes.faults.append(f"{len(missing)} of {len(wanted)} dropped files were not analyzed")


def _judge(load: Load, kills: list[tuple[str, float]], folder: Path) -> Result:
    result = Result()
    for kind, (work, _names) in KINDS.items():
        moments = [moment for killed, moment in kills if killed == kind]
        result.gaps[kind] = [_gap(load.notes.done[work], moment) for moment in moments]
    _judge_ends(load, result)
    searches, late = len(load.notes.done["search"]), load.notes.late["search"]
    share = searches / max(1, searches + late)
    if share < LEAST_ANSWERED:
        result.broken.append(f"{share:.1%} of searches were answered within {WITHIN_S:g} s")
    result.lines += _table(load, result, share)
    left = [p for p in folder.rglob("*") if p.name.endswith((".tmp", ".part"))]
    result.lines.append(f"{len(left)} files .tmp and .part were left behind")
    shutil.rmtree(folder / "models")
    return result


def _gap(done: list[tuple[float, float]], killed: float) -> float:
    return min((at - killed for _, at in done if at > killed + _IN_FLIGHT_S), default=float("inf"))


def _judge_ends(load: Load, result: Result) -> None:
    for kind, gaps in result.gaps.items():
        if gaps and max(gaps) > MOST_S:
            result.broken.append(f"{kind}: {max(gaps):.1f} s from a kill to work")
    result.broken += load.notes.faults
    for follower in load.followers:
        result.broken += [
            f"{number} final events of {task}"
            for task, number in follower.finals.items()
            if number != 1
        ]
    made = {path.stem: path for path in load.exports.glob("*.mp4")}
    for name in load.exported:
        if name not in made:
            result.broken.append(f"lost: {name}")
        elif _pictures(made[name]) < 50:  # two seconds
            result.broken.append(f"not whole: {name}")
    result.broken += [f"doubled: {name}" for name in made if "(" in name]


def _pictures(clip: Path) -> int:
    with av.open(str(clip)) as container:
        return sum(1 for _ in container.decode(video=0))


def _table(load: Load, result: Result, share: float) -> Iterator[str]:
    yield f"{'killed':<10} {'times':>5} {'seconds to work: p50':>21} {'longest':>8}"
    for kind, gaps in result.gaps.items():
        if gaps:
            yield f"{kind:<10} {len(gaps):>5} {percentile(gaps, 0.5):>21.1f} {max(gaps):>8.1f}"
    yield f"{'asked':<10} {'done':>5} {'late':>5} {'p50 s':>8} {'p99 s':>8}"
    for kind in ("search", "thumbnail", "api", "redis", "task"):
        took = [done - asked for asked, done in load.notes.done[kind]]
        p50, p99, late = percentile(took, 0.5), percentile(took, 0.99), load.notes.late[kind]
        yield f"{kind:<10} {len(took):>5} {late:>5} {p50:>8.2f} {p99:>8.2f}"
    tasks = len(load.followers[0].ends)
    yield f"{share:.2%} of searches answered; {tasks} tasks, {len(load.dropped)} dropped files"


def percentile(values: list[float], share: float) -> float:
    """The value that `share`, 0 to 1, of them do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0
