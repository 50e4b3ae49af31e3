"""`rushes up` as a process: what it keeps alive, what it leaves behind, whom it tells the key."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pty
import re
import select
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cli.processes import private_redis
from shared.process.process_mark import lives
from shared.redis.clients import connect, key_prefix
from shared.settings import Settings
from tests.support.console.browser import Browser
from tests.support.running import processes
from tests.support.rushes_up import READY_S, Up, end, environment, start
from tests.support.stack import PROJECT, free_port, models_dir
from tests.support.system.stopwatch import Stopwatch
from tests.support.waiting import wait_for

BACK_WITHIN_S = 2.0


def status_with(up: Up, key: str) -> int:
    """What a route that needs a Pro key answers to this one."""
    url = f"http://127.0.0.1:{up.port}/api/v1/tasks"
    return httpx.get(url, headers={"X-License-Key": key}).status_code


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Up]]:
    """Those that were started; the last one may still run."""
    started: list[Up] = []
    yield started
    for one in started:
        end(one)


@pytest.fixture
def up(running: list[Up], tmp_path_factory: pytest.TempPathFactory) -> Up:
    """One that is ready, on a folder of its own; the one before, unless a test has ended it."""
    if not running or running[-1].process.poll() is not None:
        running.append(start(tmp_path_factory.mktemp("up")))
    running[-1].wait_for_line("ready on http")
    return running[-1]


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return processes.run(["-P", "-m", "cli.main", *arguments], env=environment(folder, **settings))


def files_with(key: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and key.encode() in _read(path)]


def _read(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):  # Redis has rewritten its log meanwhile
        return path.read_bytes()
    return b""


def test_a_second_rushes_up_is_refused_with_one_sentence(up: Up) -> None:
    second = run(up.log.parent, "up", RUSHES_PORT=str(free_port()))
    assert second.returncode == 2
    assert "already runs on" in second.stderr
    assert str(up.process.pid) in second.stderr
    assert second.stderr.count("\n") == 1


def test_without_a_terminal_the_first_key_is_in_its_file_and_nowhere_else(up: Up) -> None:
    up.wait_for_line("ready on http.*first-key")
    folder, file = up.log.parent, up.state_dir / "first-key"
    key = file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    assert status_with(up, key) == 200
    hashed = hashlib.sha256(key.encode()).hexdigest()
    assert hashed in (up.state_dir / "keys.json").read_text()
    settings = Settings.from_env(environment(folder))
    url = private_redis.running_url(settings)
    assert url is not None
    with connect(url) as client:
        assert client.hkeys(f"{key_prefix(settings.instance)}keys") == [hashed]
    assert "#link=" not in up.text()
    assert files_with(key, folder) == [file], "no log, and nothing that Redis writes to its disk"


def test_keys_are_made_listed_and_revoked_from_the_command_line(up: Up) -> None:
    folder = up.log.parent
    pro = run(folder, "keys", "create", "--label", "the editor").stdout.strip()
    key = run(folder, "keys", "create", "--tier", "basic", "--label", "the intern").stdout.strip()
    listed = run(folder, "keys", "list").stdout
    assert "basic" in listed
    assert "the intern" in listed
    assert key not in listed
    assert pro not in listed
    assert status_with(up, key) == 403
    assert status_with(up, pro) == 200
    (line,) = [line for line in listed.splitlines() if "the intern" in line]
    key_id = re.findall(r"[0-9a-f]{12}", line)[0]
    assert "revoked" in run(folder, "keys", "revoke", key_id).stdout
    assert "the intern" not in run(folder, "keys", "list").stdout
    pro_id = next(
        re.findall(r"[0-9a-f]{12}", line)[0] for line in listed.splitlines() if "the editor" in line
    )
    run(folder, "keys", "revoke", pro_id)
    wait_for(lambda: status_with(up, pro) == 403, 10, "the revoked key to be refused", every_s=0.1)
    again = run(folder, "keys", "revoke", key_id)
    assert again.returncode == 1
    assert again.stderr == f"rushes: There is no key {key_id}.\n"


def test_kill_9_of_rushes_up_leaves_no_orphan_and_no_hindrance(up: Up, running: list[Up]) -> None:
    assert len(up.session_members()) >= 6  # with the redis-server beside its guard
    up.process.kill()
    up.process.wait()
    wait_for(lambda: not up.session_members(), 25, "the end of all children", every_s=0.1)

    up.log.unlink()
    public = "https://studio.example/rushes"
    running.append(start(up.log.parent, RUSHES_PUBLIC_URL=public))
    running[-1].wait_for_line(f"ready on {public} .on this machine: http://127.0.0.1:")


def test_killed_children_come_back_and_sigterm_ends_all_with_redis_last(up: Up) -> None:
    up.wait_for_line("query worker 2 runs as process")  # there is memory for it
    workers = ("query worker", "query worker 2", "analysis worker 1", "recluster worker")
    workers += ("export worker", "watcher")
    for name in ("api", *workers, "redis"):
        killed = up.pid_of(name)
        os.kill(killed, signal.SIGKILL)
        stopwatch = Stopwatch(None, up.process.pid)
        up.wait_for_line(f"{name} runs as process", times=2)
        assert stopwatch.seconds() < BACK_WITHIN_S
        assert up.pid_of(name) != killed

    def healthy() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{up.port}/api/v1/ready").status_code == 200
        except httpx.HTTPError:
            return False

    wait_for(healthy, READY_S, "the stack to be ready again", every_s=0.2)
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(30) == 0
    ended = re.findall(r"cli\.up: (.*) has ended", up.text())
    assert sorted(ended) == sorted(["api", *workers, "redis"])
    assert ended[-1] == "redis"
    assert up.session_members() == []
    file = up.state_dir / "first-key"
    assert files_with(file.read_text().strip(), up.log.parent) == [file]


@dataclass
class TerminalSession:
    """A `rushes up` at a terminal, without the weights of its model at first."""

    up: Up
    weights: Path
    terminal: int
    shown: str = ""

    def bring_model(self) -> None:
        with contextlib.suppress(FileExistsError):
            (self.weights / "conse-lite0").symlink_to(models_dir() / "conse-lite0")

    def shown_so_far(self) -> str:
        while select.select([self.terminal], [], [], 0)[0]:
            self.shown += os.read(self.terminal, 4096).decode()
        return self.shown

    def wait_shown(self, words: str) -> str:
        """Return all that the terminal shows, once it shows these words."""
        while words not in self.shown:
            assert self.up.process.poll() is None, self.up.text()
            self.shown += os.read(self.terminal, 4096).decode()
        return self.shown


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TerminalSession]:
    folder = tmp_path_factory.mktemp("terminal")
    weights = folder / "models"
    weights.mkdir()
    waits = "tests.support.programs.up_that_waits_briefly"
    alone = {"PIP_NO_INDEX": "1", "RUSHES_MODELS_DIR": str(weights), "PYTHONPATH": str(PROJECT)}
    terminal, its_end = pty.openpty()
    up = start(folder, stdout=its_end, module=waits, RUSHES_QUERY_WORKERS="1", **alone)
    os.close(its_end)
    yield TerminalSession(up, weights, terminal)
    end(up)
    os.close(terminal)


def test_without_its_model_it_says_so_and_is_ready_once_that_has_come(
    session: TerminalSession,
) -> None:
    up, weights = session.up, session.weights
    up.wait_for_line("not ready after 2 s: ")
    strict = f"http://127.0.0.1:{up.port}/api/v1/ready?require=models,roots"
    pull = f"The weights of conse-lite0 are not in {weights}. Fetch them with `rushes models"
    wait_for(lambda: pull in httpx.get(strict).text, READY_S, "its lack", every_s=0.2)
    assert "ready" not in session.shown_so_far()
    session.bring_model()
    session.wait_shown("Rushes is ready on http")  # though there are none for speech and faces
    assert httpx.get(strict).status_code == 200
    assert not (weights / "whisper-base").exists()


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(tmp_path, "up", RUSHES_PORT=str(port))
    assert result.returncode == 2
    assert f"Port {port} on 127.0.0.1 is taken" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_first_key_is_shown_to_a_terminal_and_never_logged(session: TerminalSession) -> None:
    up = session.up
    session.bring_model()
    shown = session.wait_shown("To stop")
    key = (up.state_dir / "first-key").read_text().strip()
    assert key in shown
    assert key not in up.text()
    address, link = re.findall(r"Console +(\S+)/#link=(\S+)", shown)[0]
    assert link not in up.text()
    with Browser(address) as browser:
        assert browser.sign_in(link=link).json()["label"] == "first key"
    assert (up.state_dir / "first-key").stat().st_mode & 0o777 == 0o600
    assert key not in (up.state_dir / "keys.json").read_text()
    assert status_with(up, key) == 200
    assert status_with(up, key + "x") == 403
    more = re.findall(r"More keys +(.*?)\r?\n", shown)[0]
    assert Path(shlex.split(more)[0]).is_file()
    env = environment(up.log.parent)
    made = subprocess.run(shlex.split(more), env=env, capture_output=True, text=True, check=True)
    assert status_with(up, made.stdout.strip()) == 200


def test_commands_that_need_a_redis_say_so(tmp_path: Path) -> None:
    for arguments in (["keys", "list"], ["api"], ["worker", "query"]):
        result = run(tmp_path, *arguments)
        assert result.returncode == 2
        assert "There is no Redis" in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    for name, value in (
        ("RUSHES_PORT", "x"),
        ("RUSHES_VISUAL_MODEL", "nonsense"),
        ("RUSHES_SPEECH_MODEL", "conse-lite0"),
        ("RUSHES_FACE_MODEL", "conse-lite0"),
    ):
        result = run(tmp_path, "up", **{name: value})
        assert result.returncode == 2
        assert result.stderr.startswith(f"rushes: {name}")
        assert result.stderr.count("\n") == 1
        assert not lives_in(tmp_path)


def lives_in(folder: Path) -> bool:
    """Whether a private Redis was left running on this folder."""
    noted = folder / "state dir" / "redis" / "redis.pid"
    return noted.exists() and lives(int(noted.read_text()))
