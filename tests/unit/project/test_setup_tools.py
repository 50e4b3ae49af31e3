"""Set-up and the programs of the system that tests compare with."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.project.test_scripts import clone, run, stub

__all__ = ["clone"]
TOOLS = (
    "ffmpeg",
    "ffprobe",
    "melt",
    "docker-compose",
    "systemd-analyze",
    "ip",
    "openssl",
    "nginx",
    "chromium-headless-shell",
)
PRESENT = ("curl", "git", "mount", "node", "npm", "python3", "unshare")
# Of coreutils and the like: what the script itself runs.
BASE = (
    *(
        "awk",
        "bash",
        "cat",
        "chmod",
        "cksum",
        "df",
        "dirname",
        "env",
        "grep",
        "head",
        "mkdir",
        "mv",
    ),
    *("rm", "sed", "sh", "sort", "tail", "tee", "touch", "tr"),
)


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH lacks TOOLS, in which root and apt-get are to be stubbed."""
    folder = tmp_path / "bin"
    for name in PRESENT:
        stub(folder, name, "exit 0")
    for name in BASE:
        program = shutil.which(name)
        assert program is not None, name
        (folder / name).symlink_to(program)
    stub(tmp_path / "venv" / "bin", "python", "exit 0")
    return {"PATH": str(folder), "RUSHES_VENV": str(tmp_path / "venv"), "CI": ""}


def test_as_root_what_is_missing_is_installed(
    clone: Path, bare: dict[str, str], tmp_path: Path
) -> None:
    folder = Path(bare["PATH"])
    stub(folder, "id", "echo 0")
    for name in ("melt", "systemd-analyze"):
        stub(folder, name, "exit 0")
    stub(folder, "apt-get", f'echo "$*" >>"{tmp_path}/asked"; touch nginx_1_all.deb')
    stub(
        folder,
        "dpkg",
        'mkdir -p "$3/usr/sbin"; touch "$3/usr/sbin/nginx"; chmod +x "$3/usr/sbin/nginx"',
    )
    result = run(clone, "setup", "tools", **bare)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "asked").read_text() == (
        "update\n"
        "install --yes --no-install-recommends"
        " docker-compose ffmpeg iproute2 openssl chromium-headless-shell fonts-dejavu-core\n"
        "download nginx\n"
    )
    nginx = clone / ".rushes" / "tools" / "nginx"
    assert (nginx / "usr" / "sbin" / "nginx").exists(), "unpacked, not installed"
    again = run(clone, "setup", "tools", **bare)
    assert "nginx" not in again.stderr


def test_without_root_or_without_a_registry_it_says_what_is_missing_and_goes_on(
    clone: Path, bare: dict[str, str]
) -> None:
    command = (
        "sudo apt install docker-compose ffmpeg iproute2 melt openssl systemd"
        " chromium-headless-shell fonts-dejavu-core\n"
    )
    folder = Path(bare["PATH"])
    stub(folder, "id", "echo 1000")
    stub(folder, "apt-get", "exit 100")
    result = run(clone, "setup", "tools", **bare)
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith(f"setup: tests need programs that are missing: {command}")
    stub(folder, "id", "echo 0")
    result = run(clone, "setup", "tools", **bare)
    assert result.returncode == 0, result.stderr
    assert f"apt-get failed, its output is in {bare['RUSHES_VENV']}" in result.stderr
    assert command in result.stderr


def test_ci_begins_nothing_where_a_program_is_missing_and_cannot_be_installed(
    clone: Path, bare: dict[str, str]
) -> None:
    stub(Path(bare["PATH"]), "id", "echo 1000")
    result = run(clone, "setup", "tools", **bare | {"CI": "true"})
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "nginx" in result.stderr, "without apt-get it is not unpacked"


def test_with_an_empty_path_everything_that_is_missing_is_one_command(
    clone: Path, tmp_path: Path
) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    environment = {"PATH": str(tmp_path), "RUSHES_VENV": str(tmp_path / "venv")}
    setup = [bash, clone / "scripts" / "setup", "tools"]
    result = subprocess.run(setup, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.splitlines()[0] == (
        "setup: tests need programs that are missing: sudo apt install curl docker-compose ffmpeg"
        " git iproute2 melt mount nodejs npm openssl python3 python3-venv systemd util-linux"
        " chromium-headless-shell fonts-dejavu-core nginx"
    )
    assert not (tmp_path / "venv").exists()


def test_nothing_is_asked_where_nothing_is_missing(clone: Path, bare: dict[str, str]) -> None:
    folder = Path(bare["PATH"])
    for name in TOOLS:
        stub(folder, name, "exit 0")
    result = run(clone, "setup", "tools", **bare)
    assert result.returncode == 0, result.stderr
    assert "apt" not in result.stderr
