"""A wrong setting is one sentence at start, exit status 2, and nothing has been started."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import up
from cli.checks import folders, redis_server
from cli.checks.folders import check_folders
from shared.errors import SettingsError
from shared.process.listening import PortTaken, listen
from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.settings import Settings
from tests.support.cli.local_command import environment, left_running, rushes
from tests.support.private_redis import PrivateRedis
from tests.support.stack import free_port
from tests.support.system.another_user import as_nobody
from tests.support.system.old_redis import old_redis
from tests.support.system.tiny_disk import tiny_disk
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def keeping() -> Iterator[PrivateRedis]:
    """A Redis that keeps its data."""
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        server = PrivateRedis(Path(folder), append_only=True)
        server.start()
        yield server
        server.stop()


def refused(folder: Path, *command: str, **settings: str) -> str:
    """The one sentence that the command ends with."""
    result = rushes(folder, *command, **settings)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("rushes: ") or result.stderr.startswith("rushes api: ")
    assert left_running(folder) == []
    state = folder / "state"
    assert not state.is_dir() or {path.name for path in state.iterdir()} <= {"up.lock"}
    return result.stderr


def sentence_of(folder: Path, **settings: str) -> str:
    """The same without a process of its own."""
    with pytest.raises(SettingsError) as caught:
        check_folders(Settings.from_env(environment(folder, **settings)))
    return caught.value.message


def test_an_unknown_name_is_refused(tmp_path: Path, keeping: PrivateRedis) -> None:
    typo = {"RUSHES_REDIS_URL": keeping.url, "RUSHES_MEDIA_ROOT": str(tmp_path)}
    assert "did you mean RUSHES_MEDIA_ROOTS?" in refused(tmp_path, "worker", "export", **typo)


def test_a_port_in_use_is_refused(
    tmp_path: Path, keeping: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "_PORT_WAIT_S", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = f"Port {port} on 127.0.0.1 is taken by another program"
        assert said in refused(tmp_path, "api", RUSHES_PORT=port, RUSHES_REDIS_URL=keeping.url)
        for name, value in environment(tmp_path, RUSHES_PORT=port).items():
            monkeypatch.setenv(name, value)  # of what it may start
        with pytest.raises(PortTaken, match=said):
            up.run(Settings.from_env())
    assert left_running(tmp_path) == []
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["up.lock"]


def test_loopback_is_listened_on_by_both_addresses_that_localhost_may_be() -> None:
    settings = Settings.from_env({"RUSHES_PORT": str(free_port())})
    sockets = listen(settings)
    try:
        for host in ("127.0.0.1", "::1") if _has_ipv6() else ("127.0.0.1",):
            socket.create_connection((host, settings.port), timeout=5).close()
    finally:
        for one in sockets:
            one.close()


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def test_a_host_that_is_no_name_is_one_sentence() -> None:
    settings = Settings.from_env(
        {
            "RUSHES_HOST": "a..b",
            "RUSHES_MEDIA_ROOTS": "/",
            "RUSHES_CACHE_ROOTS": "/",
        }
    )
    with pytest.raises(SettingsError, match=r"^The API cannot listen on a\.\.b"):
        listen(settings)


def test_a_state_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = "RUSHES_STATE_DIR names {}, which cannot be created"
    below = str(tmp_path / "file" / "state")
    assert said.format(below) in refused(tmp_path, "up", RUSHES_STATE_DIR=below)
    for folder in (below, "/proc/rushes"):
        assert said.format(folder) in sentence_of(tmp_path, RUSHES_STATE_DIR=folder)
    file = str(tmp_path / "file")
    assert "no folder" in sentence_of(tmp_path, RUSHES_STATE_DIR=file)


def test_folders_and_files_of_another_user_are_refused() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir(mode=0o700)
        (folder / "state").mkdir()
        (folder / "state").chmod(0o777)
        (folder / "state" / "keys.json").touch(mode=0o600)
        said = {}
        with as_nobody():
            for state in ("new", "closed", "closed/new", "state"):
                at = str(folder / state)
                said[state] = sentence_of(folder, RUSHES_STATE_DIR=at)
            own = folder / "state" / "own"
            check_folders(Settings.from_env(environment(folder, RUSHES_STATE_DIR=str(own))))
        assert own.stat().st_mode & 0o777 == 0o700
    assert f"cannot be created (Permission denied): let user 65534 write to {name}" in said["new"]
    assert "closed, which may not be used by this user: give user 65534" in said["closed"]
    assert f"let user 65534 write to {name}/closed, or" in said["closed/new"]
    assert "this user may not write keys.json in it: run `chown -R 65534" in said["state"]


def test_a_state_folder_on_a_full_or_read_only_disk_is_refused(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", kib=64) as disk:
        (disk / "state").mkdir()
        (disk / "fills it").write_bytes(bytes(56 * 1024))
        state = {"RUSHES_STATE_DIR": str(disk / "state")}
        full = sentence_of(tmp_path, **state)
        assert "which lies on a full disk: make room" in full
        (disk / "fills it").unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert "which is mounted read-only" in sentence_of(tmp_path, **state)
        assert list((disk / "state").iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("RUSHES_MEDIA_ROOTS", "{here}:{here}/absent", "absent, which does not exist"),
        ("RUSHES_CACHE_ROOTS", "{here}/file", "file, which is no folder"),
        ("RUSHES_EXPORT_ROOTS", "{here}/file", "file, which is no folder"),
    ],
)
def test_a_root_that_cannot_be_used_is_refused(
    tmp_path: Path, setting: str, value: str, said: str
) -> None:
    (tmp_path / "file").touch()
    sentence = sentence_of(tmp_path, **{setting: value.format(here=tmp_path)})
    assert sentence.startswith(f"{setting} names ")
    assert said in sentence


def test_a_worker_does_not_start_without_its_roots(tmp_path: Path, keeping: PrivateRedis) -> None:
    root = {"RUSHES_MEDIA_ROOTS": "/absent"}
    sentence = refused(tmp_path, "worker", "analysis", RUSHES_REDIS_URL=keeping.url, **root)
    assert sentence == f"rushes: {sentence_of(tmp_path, **root)}\n"


def test_roots_that_cannot_be_written_themselves_are_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Folders in them may be this user's, and a full disk keeps nobody from searching."""
    with tiny_disk(tmp_path / "disk", kib=64) as disk:
        (disk / "fills it").write_bytes(bytes(60 * 1024))
        roots = {"RUSHES_CACHE_ROOTS": str(disk), "RUSHES_EXPORT_ROOTS": "/proc"}
        check_folders(Settings.from_env(environment(tmp_path, **roots)))
    full, closed = caplog.messages
    assert "which this user cannot write itself (No space left on device)" in full
    assert closed.startswith("RUSHES_EXPORT_ROOTS names /proc, which this user cannot write")


def test_a_state_folder_that_does_not_answer_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    monkeypatch.setattr(folders, "ANSWERS_WITHIN_S", 0.05)
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: held.wait(30))
    monkeypatch.setattr(folders, "_existing", lambda _: held.wait(30))
    assert "which does not answer: see" in sentence_of(tmp_path)
    held.set()


def test_a_redis_of_too_old_a_version_is_refused(tmp_path: Path) -> None:
    with old_redis("5.0.7") as port:
        url = f"redis://127.0.0.1:{port}/0"
        sentence = refused(tmp_path, "up", RUSHES_REDIS_URL=url)
        assert f"127.0.0.1:{port} is version 5.0.7: Rushes needs 6.2 or newer" in sentence
    with old_redis("7.2.4") as port:
        assert redis_server.examine(f"redis://127.0.0.1:{port}")[0].level == "ok"
    with old_redis(knows="PING") as port:  # INFO renamed, as some hosts do
        assert "does not tell its version" in levels(f"redis://127.0.0.1:{port}")["warning"]


def test_a_redis_that_keeps_nothing_is_refused(tmp_path: Path, redis_url: str) -> None:
    sentence = refused(tmp_path, "watcher", RUSHES_REDIS_URL=redis_url)
    assert "keeps nothing on disk" in sentence
    assert "`appendonly yes`" in sentence


def test_a_redis_with_snapshots_alone_or_a_forbidden_config_is_a_warning(
    own_redis: PrivateRedis,
) -> None:
    with connect(own_redis.url) as client:
        client.config_set("save", "900 1")
        assert "snapshots only" in levels(own_redis.url)["warning"]
        client.acl_setuser("managed", True, passwords=["+word"], commands=["+@all", "-config"])
        url = own_redis.url + "?username=managed&password=word"
        assert "cannot be asked" in levels(url)["warning"]
        client.execute_command("ACL", "SETUSER", "managed", "-info")
        assert "does not tell its version" in levels(url)["warning"]
        assert "another name or password" in levels(url + "x")["problem"]
    redis_server.check_redis(own_redis.url)


def test_a_redis_that_may_throw_keys_away_or_is_a_replica_is_refused(
    own_redis: PrivateRedis,
) -> None:
    with connect(own_redis.url) as client:
        client.config_set("appendonly", "yes")
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert "problem" not in levels(own_redis.url)  # it has no limit that it could reach
        client.config_set("maxmemory", "100mb")
        with pytest.raises(SettingsError, match=r"^The Redis on .* throws keys away"):
            redis_server.check_redis(own_redis.url)
        client.config_set("maxmemory", "0")
        client.replicaof("127.0.0.1", "1")
        assert "is a replica" in levels(own_redis.url)["problem"]


def test_what_is_no_redis_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = [sys.executable, "-c", ANSWERS_HTTP, str(server.fileno())]
        with subprocess.Popen(command, pass_fds=[server.fileno()]) as web:
            try:
                assert "is no Redis for us" in levels(f"redis://127.0.0.1:{port}")["problem"]
                assert "without TLS" in levels(f"rediss://127.0.0.1:{port}")["problem"]
                absent = f"rediss://127.0.0.1:{port}?ssl_ca_certs=/absent"
                assert "names does not exist" in levels(absent)["problem"]
            finally:
                web.kill()
    assert "cannot be understood" in levels("redis://127.0.0.1/0?depth=9")["problem"]


ANSWERS_HTTP = """
import socket, sys
server = socket.socket(fileno=int(sys.argv[1]))
while True:
    client, _ = server.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.1 400 Bad Request\\r\\n\\r\\n")
"""


def levels(url: str) -> dict[str, str]:
    """The newest sentence of each level."""
    return {finding.level: finding.sentence for finding in redis_server.examine(url)}


def test_a_process_waits_for_a_redis_that_starts_later(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with contextlib.ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="rr-")))
        server = PrivateRedis(folder, append_only=True)
        with log.open("wb") as output:
            watcher = subprocess.Popen(
                [sys.executable, "-P", "-m", "cli.main", "watcher"],
                env=environment(tmp_path, RUSHES_REDIS_URL=server.url),
                stderr=output,
            )
        ending.callback(watcher.wait, 20)
        ending.callback(watcher.terminate)
        wait_for(lambda: "waiting for it" in log.read_text(), 15, "a line that says so")
        server.start()
        ending.callback(server.stop)
        with connect(server.url) as client:
            wait_for(lambda: heartbeats.live(client, "default", "watcher"), 20, "the watcher")


def test_a_redis_whose_disk_is_full_is_an_outage_and_no_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_server, "WAIT_S", 0.1)
    with old_redis("7.4.0\r\naof_last_write_status:err") as port:
        redis_server.check_redis(f"redis://127.0.0.1:{port}")
    assert "cannot write its append-only file" in caplog.messages[0]
    assert "still away" in caplog.messages[-1]


def test_a_redis_that_stays_away_is_an_outage_and_no_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_server, "WAIT_S", 0)
    for url in ("redis://127.0.0.1:1", "redis://rushes.invalid", "unix:///nowhere/redis.sock"):
        redis_server.check_redis(url)
        assert "still away" in caplog.messages[-1]
