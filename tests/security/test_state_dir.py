"""STATE_DIR is of the server's own user, whatever the umask and an older folder say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.search.transcripts.log import TranscriptLog
from cli.checks import folders
from shared.settings import Settings
from tests.support.cli.local_command import environment
from tests.support.media.photos import known_photos
from tests.support.stack import Client, free_port
from tests.support.waiting import wait_for


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Client]:
    """`rushes up` with a umask that hides nothing, on a folder that everybody may open."""
    (tmp_path / "state" / "redis").mkdir(parents=True)
    (tmp_path / "state").chmod(0o755)
    (tmp_path / "state" / "redis").chmod(0o777)
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up"],
            env=environment(tmp_path, RUSHES_PORT=str(port), RUSHES_QUERY_WORKERS="1"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            umask=0,
        )

    def ready() -> bool:
        assert process.poll() is None, (tmp_path / "log").read_text()
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/ready")
            return answer.status_code == 200 and not answer.json()["loading"]
        except httpx.TransportError:
            return False

    try:
        wait_for(ready, 60, "rushes up", every_s=0.2)
        client = Client(port, (tmp_path / "state" / "first-key").read_text().strip())
        yield client
        client.http.close()
    finally:
        process.terminate()
        process.wait(30)


def test_no_file_of_state_dir_is_for_others_and_an_open_folder_is_warned_of(
    up: Client, tmp_path: Path
) -> None:
    cache = str(tmp_path / "cache")
    (tmp_path / "media").mkdir()
    up.analyzed(tmp_path / "cache", known_photos()["cat"])
    assert up.ok("/search/text", query="a cat", cache_dir=cache)["matches"]
    watched = {"path": str(tmp_path / "media"), "cache_dir": cache}
    assert up.http.post("/watch-folders", json=watched).is_success

    state = tmp_path / "state"
    modes = {str(p.relative_to(state)): p.stat().st_mode & 0o777 for p in state.rglob("*")}
    folders = {name for name in modes if (state / name).is_dir()}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert {"redis", "search"} <= folders
    assert {"keys.json", "first-key", "up.lock", "watch-folders.json"} <= modes.keys() - folders
    assert "which every user of this machine may open (0755)" in (tmp_path / "log").read_text()


def test_the_index_of_transcripts_is_private_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with TranscriptLog(tmp_path / "transcripts" / "key").writing(1):
            pass
    finally:
        os.umask(before)
    found = [tmp_path / "transcripts", *(tmp_path / "transcripts").rglob("*")]
    assert len(found) == 4  # the folder in it, its lock and the index
    assert [path for path in found if path.stat().st_mode & 0o077] == []


def test_doctor_warns_of_a_folder_that_everybody_may_open(tmp_path: Path) -> None:
    settings = Settings.from_env({"RUSHES_STATE_DIR": str(tmp_path)})
    tmp_path.chmod(0o755)
    found = folders.state_dir(settings)
    assert found.level == "warning"
    assert found.sentence.endswith(f"run `chmod o= {tmp_path}`.")
    tmp_path.chmod(0o700)
    assert folders.state_dir(settings).level == "ok"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_doctor_warns_of_a_folder_on_a_network_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    settings = Settings.from_env({"RUSHES_STATE_DIR": str(tmp_path)})
    tmp_path.chmod(0o700)
    assert folders.state_dir(settings).level == "ok"
    device = tmp_path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 0:1 / / rw - ext4 /dev/vda rw\n"
        f"36 21 {number} / {tmp_path} rw master:1 - {kind} server:/state rw\n"
    )
    monkeypatch.setattr(folders, "_MOUNTS", mounts)
    for create in (False, True):
        found = folders.state_dir(settings, create=create)
        assert found.level == "warning"
        assert f"lies on a network file system ({kind})" in found.sentence
