"""`rushes doctor` finds everything that is wrong in one run, says the cure, and changes nothing."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.checks import everything, folders, libraries, models, server
from cli.checks.everything import analysis_workers
from cli.checks.finding import Finding, fine, within
from cli.checks.libraries import EXTRAS, Libraries
from cli.main import app
from shared.domain import ModelKind
from shared.process import machine
from shared.process.machine import Machine
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat, ModelState, WorkerKind
from shared.settings import Settings
from tests.support.cli.local_command import environment, left_running, rushes
from tests.support.private_redis import PrivateRedis
from tests.support.skip_or_fail import import_studio
from tests.support.stack import PROJECT, Stack
from tests.support.system.another_user import as_nobody
from tests.support.system.old_redis import old_redis

Found = list[dict[str, Any]]


@pytest.fixture
def keeping() -> Iterator[PrivateRedis]:
    """A Redis that keeps its data."""
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        server = PrivateRedis(Path(folder), append_only=True)
        server.start()
        yield server
        server.stop()


def doctor(folder: Path, **settings: str) -> tuple[int, Found]:
    """Its exit status and what it has found, each with a cure unless it is fine."""
    result = rushes(folder, "doctor", "--json", **settings)
    assert result.stderr == ""
    answer = json.loads(result.stdout)
    assert answer["ok"] == (result.returncode == 0)
    for finding in answer["findings"]:
        assert (finding["level"] == "ok") == (not finding["cure"]), finding
    return result.returncode, answer["findings"]


def messages(found: Found, level: str) -> str:
    return "\n".join(f"{f['message']}: {f['cure']}" for f in found if f["level"] == level)


def test_a_sound_machine_has_no_problem_and_is_left_as_it_is(
    tmp_path: Path, keeping: PrivateRedis
) -> None:
    root = tmp_path / "footage"
    root.mkdir()
    settings = {"RUSHES_MEDIA_ROOTS": str(root), "RUSHES_CACHE_ROOTS": str(root)}
    status, found = doctor(
        tmp_path, RUSHES_REDIS_URL=keeping.url, RUSHES_LICENSE_KEYS="one", **settings
    )
    assert messages(found, "problem") == ""
    assert status == 0
    assert "append-only file" in messages(found, "ok")
    assert re.search(r"\d analysis workers? with \d+ decode threads?.*GB", messages(found, "ok"))
    assert sorted(tmp_path.rglob("*")) == [root]
    assert left_running(tmp_path) == []


def test_everything_that_is_wrong_is_found_in_one_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with old_redis() as port:
        status, found = doctor(
            tmp_path,
            RUSHES_MEDIA_ROOT="/footage",
            RUSHES_WORKERS="many",
            RUSHES_MEDIA_ROOTS=f"{tmp_path}:/absent",
            RUSHES_CACHE_ROOTS="/absent caches",
            RUSHES_EXPORT_ROOTS=str(tmp_path / "file"),
            RUSHES_STATE_DIR=str(tmp_path / "file" / "state"),
            RUSHES_PATH_MAP="Z:\\footage=/absent too",
            RUSHES_REDIS_URL=f"redis://127.0.0.1:{port}",
            RUSHES_PORT=str(port),
            RUSHES_DEVICE="cuda:7",
            RUSHES_SPEECH_MODEL="whisper-large-v3",
            RUSHES_FACE_MODEL="nobody",
        )
    assert status == 1
    problems = messages(found, "problem")
    for said in (
        "There is no setting RUSHES_MEDIA_ROOT: did you mean RUSHES_MEDIA_ROOTS?",
        "RUSHES_WORKERS must be a whole number",
        "RUSHES_MEDIA_ROOTS names /absent, which does not exist: create or mount it",
        "RUSHES_CACHE_ROOTS names /absent caches, which does not exist",
        "RUSHES_EXPORT_ROOTS names .*file, which is no folder: name a folder",
        "RUSHES_STATE_DIR names .*state, which cannot be created .*: name another folder",
        "RUSHES_PATH_MAP names /absent too, which does not exist",
        "is version 5.0.7: Rushes needs 6.2 or newer",
        f"127.0.0.1:{port} .*: ",
        "RUSHES_DEVICE=cuda:7, and ctranslate2 sees no such device: set RUSHES_DEVICE=cpu",
        "whisper-large-v3 are not in .*: run `rushes models pull whisper-large-v3`",
        "There is no face model 'nobody'",
    ):
        assert re.search(said, problems), f"{said} is not in\n{problems}"
    assert "there is no licence key: run `rushes keys create`" in messages(found, "warning")


def test_a_server_that_runs_is_looked_at(tmp_path: Path, redis_url: str) -> None:
    stack = Stack(tmp_path, redis_url)
    try:
        stack.start_api()
        own = {"RUSHES_PORT": str(stack.ports[0]), "RUSHES_PUBLIC_URL": "https://studio.example/r"}
        settings = Settings.from_env(environment(tmp_path, **own))
        found = [dataclasses.asdict(finding) for finding in server.server(settings)]
    finally:
        stack.stop()
    where = f"http://127.0.0.1:{stack.ports[0]}, and clients call it https://studio.example/r"
    assert f"a Rushes runs on {where}" in messages(found, "ok")
    assert "server and command line are version" in messages(found, "ok")
    assert "no query worker runs: start one: `rushes worker query`" in messages(found, "problem")


def test_a_server_whose_model_and_root_are_away_is_told_with_the_cure(
    tmp_path: Path, redis_url: str
) -> None:
    stack = Stack(tmp_path, redis_url, {"RUSHES_MEDIA_ROOTS": "/absent"})
    pull = "Fetch them with `rushes models pull conse-lite0`."
    models = {ModelKind.VISUAL: ModelState(error=f"The weights are away. {pull}")}
    kinds: tuple[WorkerKind, ...] = ("query", "analysis")
    with connect(redis_url) as client:
        for kind in kinds:
            heart = Heartbeat(
                name=kind, kind=kind, host="h", pid=1, started_at=1.0, models=models, roots=()
            )
            heartbeats.publish(client, "default", heart, ttl_s=60)
    try:
        stack.start_api()
        settings = Settings.from_env(environment(tmp_path, RUSHES_PORT=str(stack.ports[0])))
        found = [dataclasses.asdict(finding) for finding in server.server(settings)]
    finally:
        stack.stop()
    problems = messages(found, "problem")
    assert problems.startswith("it is not ready: The visual model conse-lite0 cannot be used on h")
    assert pull in problems
    assert "No live worker sees /absent (RUSHES_MEDIA_ROOTS). Mount its disk" in problems


def test_for_people_it_is_a_table_whose_last_line_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_env({"RUSHES_MEDIA_ROOTS": "/:/absent"})
    monkeypatch.setattr(everything, "look_at_everything", lambda _: list(folders.roots(settings)))
    result = CliRunner().invoke(app, ["doctor", "--brief"], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "✗  RUSHES_MEDIA_ROOTS  RUSHES_MEDIA_ROOTS names /absent" in result.stdout
    assert "→ create or mount it" in result.stdout
    assert "✓" not in result.stdout
    assert result.stdout.splitlines()[-1] == "1 problem, no warnings"


def test_a_machine_with_the_api_alone_needs_no_weights(tmp_path: Path) -> None:
    settings = Settings.from_env(environment(tmp_path, RUSHES_MODELS_DIR=str(tmp_path)))
    assert {found.level for found in models.weights(settings, is_worker=False)} == {"ok"}


def test_files_of_another_user_are_no_reason_to_remove_them() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "keys.json").touch(mode=0o600)
        folder.chmod(0o755)
        settings = Settings.from_env({"RUSHES_STATE_DIR": name, "RUSHES_MODELS_DIR": f"{name}/w"})
        (folder / "w").mkdir(mode=0o700)
        with as_nobody():
            key, *_ = server.keys(settings, None)
            weights = list(models.weights(settings))
    assert "run the server and this as the user whose file it is" in key.sentence
    assert {
        (found.level, "cannot be read (Permission denied)" in found.message) for found in weights
    } == {("problem", True)}


def test_a_check_that_fails_or_hangs_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    monkeypatch.setattr(everything, "ENDS_WITHIN_S", 0.1)

    def fails() -> list[Finding]:
        raise RuntimeError("by mistake")

    def hangs() -> list[Finding]:
        held.wait(30)
        return []

    last = fine("last", "fine")
    found = everything.side_by_side({"a": fails, "b": hangs, "c": lambda: [last]})
    held.set()
    assert [finding.level for finding in found] == ["problem", "problem", "ok"]
    assert "RuntimeError: by mistake" in found[0].message
    assert found[1].subject == "b"


def test_a_folder_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    with pytest.raises(TimeoutError):
        within(0.05, lambda: held.wait(30))
    held.set()
    monkeypatch.setattr(folders, "_try", lambda *_: held.clear() or held.wait(30))
    monkeypatch.setattr(folders, "ANSWERS_WITHIN_S", 0.05)
    settings = Settings.from_env({"RUSHES_MEDIA_ROOTS": "/share"})
    [found] = folders.roots(settings)
    held.set()
    assert found.sentence.startswith("RUSHES_MEDIA_ROOTS names /share, which does not answer: see")


def test_libraries_that_are_missing_or_crash_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "crashes_at_import.py").write_text("import os\nos.abort()\n")
    (tmp_path / "raises_at_import.py").write_text("raise OSError('libX.so: not found')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(
        libraries,
        "EXTRAS",
        {"worker": ("raises_at_import", "nobody_has_this", "crashes_at_import"), "lite": ("json",)},
    )
    found = libraries.look({"worker"})
    sentences = [f.sentence for f in libraries.findings(found, {"worker"}) if f.level == "problem"]
    assert "raises_at_import is installed" in sentences[0].lower()
    assert "libX.so: not found" in sentences[0]
    assert "exit status -6" in sentences[1]
    assert sentences[2].startswith("Nobody_has_this not installed: run `")
    assert "pip install 'rushes[worker]'`" in sentences[2]
    needless = [f.level for f in libraries.findings(found, set()) if "not installed" in f.message]
    assert needless == ["warning"]


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(extra, marks=pytest.mark.studio if extra == "studio" else ())
        for extra in EXTRAS
    ],
)
def test_every_package_of_the_extras_is_tried(extra: str) -> None:
    if extra == "studio":
        import_studio("torch")  # else it is not known which package brings which module
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    brought_by = packages_distributions()
    tried = {
        distribution.lower().replace("_", "-")
        for modules in EXTRAS.values()
        for module in modules
        for distribution in brought_by.get(module, [module])
    }
    packages = {
        re.split(r"[^A-Za-z0-9_-]", wanted)[0].lower().replace("_", "-")
        for wanted in project["optional-dependencies"][extra]
    } - {"rushes"}
    assert packages <= tried, f"{packages - tried} of {extra}: put its module into EXTRAS"


@pytest.mark.parametrize(
    ("device", "seen", "expected"),
    [
        ("cpu", {}, ["ok"]),
        ("auto", {}, ["ok"]),
        ("auto", {"ctranslate2": {"cuda": 1}}, ["ok"]),
        ("cuda", {"onnxruntime": {"cuda": 1}, "ctranslate2": {"cuda": 1}}, ["ok"]),
        ("cuda:1", {"onnxruntime": {"cuda": 1}, "ctranslate2": {"cuda": 1}}, ["problem"]),
        ("cuda", {"onnxruntime": {"cuda": 0}, "ctranslate2": {"cuda": 1}}, ["warning", "ok"]),
        ("cuda", {"onnxruntime": {"cuda": 0}, "ctranslate2": {"cuda": 0}}, ["warning", "problem"]),
        ("mps", {"torch": {"cuda": 0, "mps": 1}}, ["warning"]),
    ],
)
def test_the_device_is_compared_with_what_the_libraries_see(
    device: str, seen: dict[str, dict[str, int]], expected: list[str]
) -> None:
    settings = Settings.from_env({"RUSHES_DEVICE": device})
    found = list(models.device(settings, Libraries(devices=seen)))
    assert [finding.level for finding in found] == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["ok"]),
        ({"DECODE_THREADS": "4"}, ["ok"]),
        ({"DECODE_THREADS": "5"}, ["warning", "ok"]),
        ({"WORKERS": "4"}, ["ok"]),
        ({"WORKERS": "8"}, ["warning", "ok"]),
        ({"WORKERS": "9"}, ["warning", "warning", "ok"]),
    ],
)
def test_workers_and_threads_that_do_not_fit_the_machine_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: list[str]
) -> None:
    here = Machine(cores=2, memory_bytes=24_000_000_000, has_gpu=False)
    monkeypatch.setattr(machine, "this_machine", lambda _: here)
    settings = Settings.from_env({f"RUSHES_{name}": value for name, value in given.items()})
    found = list(analysis_workers(settings))
    assert [finding.level for finding in found] == expected
    assert found[-1].message.endswith("2 cores, 24 GB, no GPU")


def test_a_model_whose_licence_is_not_accepted_is_a_problem(tmp_path: Path) -> None:
    env = environment(tmp_path, RUSHES_VISUAL_MODEL="MobileCLIP-S2--datacompdr")
    [found, *others] = models.weights(Settings.from_env(env))
    assert "MobileCLIP-S2--datacompdr may not be used commercially" in found.sentence
    assert "RUSHES_ALLOW_NONCOMMERCIAL=on" in found.sentence
    assert {other.level for other in others} == {"ok"}
    allowed = Settings.from_env({**env, "RUSHES_ALLOW_NONCOMMERCIAL": "on"})
    [absent, *_] = models.weights(allowed)
    assert (absent.level, absent.cure.partition(",")[0]) == (
        "warning",  # `rushes up` fetches them
        "run `rushes models pull MobileCLIP-S2--datacompdr`",
    )


def test_a_share_that_is_not_mounted_is_a_warning(tmp_path: Path) -> None:
    settings = Settings.from_env({"RUSHES_MEDIA_ROOTS": str(tmp_path)})
    on_the_systems_disk = tmp_path.stat().st_dev == Path("/").stat().st_dev
    assert [f.level for f in folders.mounts(settings)] == ["warning"] * on_the_systems_disk
    (tmp_path / "clip.mov").touch()
    assert list(folders.mounts(settings)) == []


def test_a_path_map_that_leads_out_of_the_roots_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    levels = []
    for target in ("in", "out", "absent"):
        env = environment(tmp_path, RUSHES_MEDIA_ROOTS=str(tmp_path / "in"))
        env["RUSHES_PATH_MAP"] = f"Z:={tmp_path / target}"
        levels += [finding.level for finding in folders.path_map(Settings.from_env(env))]
    assert levels == ["ok", "warning", "problem"]
