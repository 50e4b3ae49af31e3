"""The units: systemd understands them, and they start what there is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.deploy.commands import parse, unknown_names
from tests.deploy.compose import PROJECT

FOLDER = PROJECT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
RUSHES = "/opt/rushes/.venv/bin/rushes"


def line(unit: Path, name: str) -> str:
    found = re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.M)
    assert found, f"{unit.name} has no {name}"
    return str(found[-1])


def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    rushes = Path(sys.executable).with_name("rushes")
    names = []
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace(RUSHES, str(rushes))
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
        names.append(str(tmp_path / unit.name.replace("@.", "@analysis-1.")))
    for name in ("rushes.service.d", "rushes-.service.d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "paths.conf").write_bytes((FOLDER / "paths.conf").read_bytes())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    assert done.returncode == 0, done.stderr
    assert "rushes" not in done.stderr, done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_start_commands_of_ours_and_do_not_start_again_with_wrong_settings(
    unit: Path,
) -> None:
    if "@" not in unit.name:
        program, *words = shlex.split(line(unit, "ExecStart"))
        assert program == RUSHES
        parse(words)
    assert line(unit, "RestartPreventExitStatus") == "2"
    assert line(unit, "Restart") == "always"
    assert line(unit, "RestartSec") == "500ms"
    assert line(unit, "StartLimitIntervalSec") == "0", "however often it ends"
    assert line(unit, "User") == "rushes"
    assert line(unit, "NoNewPrivileges") == "yes"
    assert line(unit, "ProtectSystem") == "strict"
    assert line(unit, "SystemCallFilter") == "@system-service"
    assert re.fullmatch(r"\d+(G|%)", line(unit, "MemoryMax"))
    assert not unknown_names(unit.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", ["analysis", "query", "recluster", "export"])
def test_the_instance_of_a_worker_is_its_kind_and_a_number(tmp_path: Path, kind: str) -> None:
    stub = tmp_path / "rushes"
    stub.write_text('#!/bin/sh\necho "$@"\n')
    stub.chmod(0o755)
    written = line(FOLDER / "rushes-worker@.service", "ExecStart").replace(RUSHES, str(stub))
    # As systemd reads it: %% and $$ are one sign, %i is the instance.
    command = written.replace("%%", "\0").replace("%i", f"{kind}-2").replace("\0", "%")
    done = subprocess.run(
        shlex.split(command.replace("$$", "$")), capture_output=True, text=True, timeout=10
    )
    assert done.stdout.split() == ["worker", kind]
    parse(done.stdout.split())


def test_the_settings_file_is_right_as_it_is() -> None:
    text = (FOLDER / "rushes.env").read_text(encoding="utf-8")
    assert not unknown_names(text)
    values = dict(re.findall(r"^(RUSHES_\w+)=(.*)$", text, re.M))
    Settings.from_env(values)
    paths = (FOLDER / "paths.conf").read_text(encoding="utf-8")
    mounts = re.findall(r"^RequiresMountsFor=(.*)$", paths, re.M)[0].split()
    writable = re.findall(r"^ReadWritePaths=(.*)$", paths, re.M)[0].split()
    for name, folders in (("MEDIA", mounts), ("CACHE", writable), ("EXPORT", writable)):
        root = values[f"RUSHES_{name}_ROOTS"]
        assert any(root.startswith(folder) for folder in folders), root
