"""Analysis workers and decode threads go by the cores, the memory and the GPU that may be used."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import pytest

from shared.process import machine, memory
from shared.process.machine import Machine
from shared.settings import PARSERS, Settings

GB = 1_000_000_000
PERIOD = {"cpu__cfs_period_us": "100000"}  # of cgroups 1


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of control groups, which has none yet, and /proc/self/cgroup as `own` in it."""
    monkeypatch.setattr(memory, "ROOT", tmp_path)
    monkeypatch.setattr(memory, "OWN", tmp_path / "own")
    return tmp_path


@pytest.fixture
def sixteen(monkeypatch: pytest.MonkeyPatch, groups: Path) -> None:
    """A machine of 16 cores and 64 GB without a limit."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setattr(memory, "total_bytes", lambda: 64 * GB)


def limit(folder: Path, **values: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("__", ".")).write_text(value + "\n")


@pytest.mark.parametrize(
    ("cores", "size", "gpu", "workers", "threads"),
    [
        (1, 2, False, 1, 1),
        (2, 24, False, 1, 2),
        (3, 24, False, 1, 3),
        (4, 8, False, 2, 2),
        (4, 2, False, 1, 4),
        (5, 64, False, 2, 3),
        (16, 64, False, 8, 2),
        (16, 8, False, 2, 8),
        (64, 512, False, 32, 2),
        (1, 8, True, 1, 1),
        (2, 8, True, 1, 1),
        (16, 64, True, 1, 14),
        (16, 2, True, 1, 5),
        (96, 512, True, 1, 64),
        (192, 6, False, 2, 7),
    ],
)
def test_workers_and_threads_go_by_cores_memory_and_gpu(
    cores: int, size: int, gpu: bool, workers: int, threads: int
) -> None:
    here = Machine(cores, size * GB, gpu)
    assert (here.workers(), here.decode_threads(here.workers())) == (workers, threads)
    assert PARSERS["decode_threads"](str(threads)) == threads, "may be handed on"


@pytest.mark.parametrize(("gpu", "threads"), [(False, (16, 8, 4, 1)), (True, (14, 7, 4, 1))])
def test_more_workers_have_fewer_threads_each(gpu: bool, threads: tuple[int, ...]) -> None:
    here = Machine(16, 64 * GB, gpu)
    assert tuple(here.decode_threads(workers) for workers in (1, 2, 4, 16)) == threads


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize(
    ("given", "workers", "threads", "alone"),
    [
        ({}, 8, 2, 16),
        ({"WORKERS": "4"}, 4, 4, 4),
        ({"DECODE_THREADS": "3"}, 8, 3, 3),
        ({"WORKERS": "2", "DECODE_THREADS": "1"}, 2, 1, 1),
        ({"DEVICE": "cuda"}, 1, 14, 14),
        ({"DEVICE": "cuda:1", "WORKERS": "2"}, 2, 7, 7),
    ],
)
def test_what_is_set_counts_and_changes_the_rest(
    given: dict[str, str], workers: int, threads: int, alone: int
) -> None:
    """`alone`: threads of a worker that nobody told of others."""
    named = {"DEVICE": "cpu", **given}
    settings = Settings.from_env({f"RUSHES_{name}": value for name, value in named.items()})
    assert machine.analysis_workers(settings) == workers
    assert machine.decode_threads(settings, workers) == threads
    assert machine.decode_threads(settings) == alone


@pytest.mark.usefixtures("sixteen")
def test_it_is_said_in_words_with_the_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(device="cpu")
    said = "8 analysis workers with 2 decode threads each: 16 cores, 64 GB, no GPU"
    assert machine.in_words(settings) == said
    said = "1 analysis worker with 14 decode threads: RUSHES_WORKERS=1, 16 cores, 64 GB, a GPU"
    assert machine.in_words(Settings(device="cuda", workers=1)) == said
    monkeypatch.setattr(memory, "total_bytes", lambda: 8 * GB)
    said = "2 analysis workers with 8 decode threads each: 16 cores, 8 GB (3 GB a worker), no GPU"
    assert machine.in_words(settings) == said


@pytest.mark.usefixtures("sixteen")
@pytest.mark.parametrize(
    ("own", "group", "quota", "cores"),
    [
        ("0::/\n", "", {"cpu__max": "250000 100000"}, 3),
        ("0::/a/b\n", "a/b", {"cpu__max": "50000 100000"}, 1),
        ("0::/a/b\n", "a", {"cpu__max": "400000 100000"}, 4),
        ("0::/a/b\n", "a", {"cpu__max": "max 100000"}, 16),
        ("3:cpu,cpuacct:/x\n0::/\n", "cpu/x", PERIOD, 16),
        ("3:cpu,cpuacct:/x\n", "cpu", {**PERIOD, "cpu__cfs_quota_us": "200000"}, 2),
        ("3:cpu,cpuacct:/x\n", "cpu/x", {**PERIOD, "cpu__cfs_quota_us": "-1"}, 16),
        ("3:cpuset:/x\n", "cpu/x", {**PERIOD, "cpu__cfs_quota_us": "200000"}, 16),
    ],
)
def test_a_quota_of_cpu_counts_as_cores(
    groups: Path, own: str, group: str, quota: dict[str, str], cores: int
) -> None:
    (groups / "own").write_text(own)
    limit(groups / group, **quota)
    assert machine.this_machine(Settings(device="cpu")).cores == cores


@pytest.mark.parametrize(
    ("own", "group", "name"),
    [
        ("0::/\n", "", "memory__max"),
        ("0::/system.slice/rushes.service\n", "system.slice", "memory__max"),
        ("4:memory:/docker/x\n", "memory", "memory__limit_in_bytes"),
    ],
)
def test_in_a_container_the_memory_is_what_it_may_take(
    groups: Path, own: str, group: str, name: str
) -> None:
    (groups / "own").write_text(own)
    limit(groups / group, **{name: "4000000"})
    assert memory.total_bytes() == 4_000_000
    limit(groups / group, **{name: "max"})
    assert memory.total_bytes() > 100_000_000


@pytest.mark.parametrize(
    ("device", "is_there", "installed", "gpu"),
    [
        ("auto", True, {"torch": "2.8.0", "lite": ""}, False),
        ("auto", True, {"onnxruntime-gpu": "1.23.0", "lite": ""}, True),
        ("cpu", True, {"torch": "2.8.0"}, False),
        ("cuda", False, {}, True),
        ("cuda:1", False, {}, True),
        ("mps", False, {}, True),
        ("auto", True, {"torch": "2.8.0"}, True),
        ("auto", True, {"torch": "2.8.0+cu126"}, True),
        ("auto", True, {"torch": "2.8.0+cpu"}, False),
        ("auto", True, {"torch": "2.8.0+cpu", "onnxruntime-gpu": "1.23.0"}, False),
        ("auto", True, {"onnxruntime": "1.23.0"}, False),
        ("auto", False, {"torch": "2.8.0"}, False),
    ],
)
def test_a_gpu_counts_where_visual_models_can_use_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    device: str,
    is_there: bool,
    installed: dict[str, str],
    gpu: bool,
) -> None:
    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(machine, "_GPU", tmp_path if is_there else tmp_path / "absent")
    monkeypatch.setattr(machine.sys, "platform", "linux")
    model = "conse-lite0" if "lite" in installed else "ViT-B-32--openai"
    assert machine.has_gpu(Settings(device=device, visual_model=model)) == gpu
