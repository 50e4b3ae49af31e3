"""Set-up and the programs of the system that tests compare with."""

from __future__ import annotations

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
PROGRAMS = (*TOOLS, "dpkg", "apt-get", "id")


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH has everything of this system but those programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for source in map(Path, ("/usr/bin", "/bin")):
        for program in source.iterdir():
            link = folder / program.name
            if program.name not in PROGRAMS and not link.is_symlink():
                link.symlink_to(program)
    stub(tmp_path / "venv" / "bin", "python", "exit 0")
    return {"PATH": str(folder), "RUSHES_VENV": str(tmp_path / "venv")}


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
        " iproute2 openssl ffmpeg docker-compose chromium-headless-shell fonts-dejavu-core\n"
        "download nginx\n"
    )
    nginx = clone / ".rushes" / "tools" / "nginx"
    assert (nginx / "usr" / "sbin" / "nginx").exists(), "unpacked, not installed"
    again = run(clone, "setup", "tools", **bare)
    assert "nginx" not in again.stderr


def test_without_root_or_without_a_registry_it_says_what_is_missing_and_goes_on(
    clone: Path, bare: dict[str, str]
) -> None:
    folder = Path(bare["PATH"])
    stub(folder, "id", "echo 1000")
    stub(folder, "apt-get", "exit 100")
    result = run(clone, "setup", "tools", **bare)
    assert result.returncode == 0, result.stderr
    assert (
        "(Debian: sudo apt install iproute2 openssl ffmpeg melt docker-compose systemd"
        " chromium-headless-shell fonts-dejavu-core)" in result.stderr
    )
    stub(folder, "id", "echo 0")
    result = run(clone, "setup", "tools", **bare)
    assert result.returncode == 0, result.stderr
    assert "apt-get failed" in result.stderr


def test_nothing_is_asked_where_nothing_is_missing(clone: Path, bare: dict[str, str]) -> None:
    folder = Path(bare["PATH"])
    for name in TOOLS:
        stub(folder, name, "exit 0")
    result = run(clone, "setup", "tools", **bare)
    assert result.returncode == 0, result.stderr
    assert "apt" not in result.stderr
