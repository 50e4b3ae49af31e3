"""The worker as a process: what it imports, what it is called by, how it starts and ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from shared.cache.cache_dir import CacheDir
from shared.domain import ProgressType, TaskState
from shared.redis import heartbeats
from shared.redis.heartbeats import Heartbeat
from tests.support.analysis.desk import INSTANCE, Desk
from tests.support.media.media import make_clip
from tests.support.people.grouping_desk import NAME, GroupingDesk, shots
from tests.support.stack import PROJECT
from tests.support.waiting import wait_for
from workers.liveness import StallTimer


@pytest.mark.studio
@pytest.mark.short
def test_an_analysis_worker_imports_neither_torch_nor_what_only_speech_needs(desk: Desk) -> None:
    start_and_tell(desk, "analysis")
    clip = make_clip(desk.folder / "clip.mp4", 1)
    parts = (ProgressType.VIDEO, ProgressType.FACES)
    desk.wait_final(desk.submit([clip], wants=parts, face_model="dlib-resnet"))
    loaded = told_modules(desk, "analysis")
    assert {"onnxruntime", "av"} <= loaded
    assert not {"torch", "open_clip", "transformers", "starlette", "socketio"} & loaded
    assert not {"faster_whisper", "ctranslate2"} & loaded
    assert not {"hdbscan", "sklearn", "insightface", "cv2"} & loaded


@pytest.mark.studio
@pytest.mark.short
def test_hdbscan_is_imported_only_where_parameters_are_looked_for(desk: Desk) -> None:
    people = GroupingDesk(CacheDir.open(desk.cache, create=True))
    people.add(1, shots(*range(8), each=30))  # fewer tell nothing, and are not asked
    client = desk.stack.start_api(**desk.squares_env())
    body = {"cache_dir": str(desk.cache), "cluster_job_name": NAME}
    for auto, wanted in ((False, set()), (True, {"hdbscan"})):
        start_and_tell(desk, "recluster", **desk.squares_env())
        task_id = client.ok("/faces/recluster", **body, auto_detect_params=auto)["task_id"]
        assert client.wait_final(task_id)["status"] == "completed"
        loaded = told_modules(desk, "recluster")
        assert {"hdbscan"} & loaded == wanted
        assert not {"torch", "onnxruntime", "insightface", "cv2"} & loaded


def start_and_tell(desk: Desk, kind: str, **more: str) -> None:
    modules = str(desk.folder / "modules.json")
    command = ("-m", "tests.support.programs.names_its_modules")
    desk.stack.start(f"{kind}-0", *command, interpreter=True, KIND=kind, MODULES=modules, **more)


def told_modules(desk: Desk, kind: str) -> set[str]:
    assert desk.stack.processes[f"{kind}-0"].end() == 0
    return set(json.loads((desk.folder / "modules.json").read_text()))


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        ([], {}, "Usage"),
        (["painter"], {}, "Usage"),
        (["analysis"], {}, "RUSHES_REDIS_URL is not set"),
        (["watcher"], {}, "RUSHES_REDIS_URL is not set"),
        (["query"], {"RUSHES_PORT": "x", "RUSHES_REDIS_URL": "redis://x"}, "RUSHES_PORT"),
    ],
)
def test_wrong_use_ends_with_one_sentence_and_status_2(
    arguments: list[str], settings: dict[str, str], says: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "workers", *arguments],
        cwd=PROJECT,
        env={"PATH": "/usr/bin", **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert says in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_worker_uses_one_native_thread_unless_the_operator_says_more() -> None:
    # numpy reads the number once, so it must be there before numpy is.
    program = (
        "import os, sys, workers.__main__ as main; early = 'numpy' in sys.modules; main.main([]);"
        "import workers.start;"
        "print(early, 'numpy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'],"
        "os.environ['OMP_NUM_THREADS'])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env={"PATH": "/usr/bin", "OMP_NUM_THREADS": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == ["False", "True", "1", "3"]


def test_a_missing_file_is_missing_only_when_every_machine_says_so(desk: Desk) -> None:
    other = Heartbeat(
        name="analysis-other", kind="analysis", host="other", pid=1, started_at=time.time()
    )
    heartbeats.publish(desk.client, INSTANCE, other, ttl_s=6)
    desk.worker_with_fake_embedder()
    task_id = desk.submit([desk.folder / "nowhere.mp4"])
    key = f"rushes:{INSTANCE}:missing:{task_id}:0"
    wait_for(lambda: desk.client.exists(key), 20, "the worker saying that it sees no such file")
    assert not desk.record(task_id).status.is_final
    record = desk.wait_final(task_id)  # the other one has fallen silent
    assert record.status is TaskState.FAILED
    assert "does not exist" in record.failed_files[0].error


def test_a_lost_bell_is_rung_again_by_the_workers_own_sweep(desk: Desk) -> None:
    desk.worker_with_fake_embedder()
    wait_for(desk.hearts, 20, "the worker")
    task_id = desk.submit([make_clip(desk.folder / "clip.mp4", 1)])
    desk.client.delete(f"rq:queue:rushes-{INSTANCE}-analysis")
    assert desk.wait_final(task_id, 15).status is TaskState.COMPLETED


def test_the_stall_timer_is_wide_while_a_model_loads() -> None:
    timer = StallTimer(0.5)
    timer.arm()
    with timer.wide():
        began = time.monotonic()
        wait_for(lambda: time.monotonic() - began > 1, 5, "more than the term to pass")
    timer.disarm()


def test_a_worker_allows_itself_the_open_files_that_an_item_of_stills_takes() -> None:
    program = (
        "import resource; from workers.start import allow_open_files as allow"
        "\nfiles = resource.RLIMIT_NOFILE"
        "\nfor limits in ((5000, 8192), (256, 8192), (256, 1024)):"
        "\n    resource.setrlimit(files, limits); allow()"
        "\n    print(resource.getrlimit(files))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT, env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout.splitlines() == ["(5000, 8192)", "(4096, 8192)", "(1024, 1024)"]
