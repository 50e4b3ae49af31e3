"""The private Redis: real servers on folders of their own."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.processes import private_redis, redis_binary
from shared.domain import TaskKind, TaskState
from shared.errors import RedisAway, SettingsError
from shared.ledger.ledger import Ledger
from shared.ledger.records import ItemFile, NewItem, NewTask
from shared.process.process_mark import lives
from shared.redis.clients import connect
from shared.settings import Settings
from tests.support.running import processes
from tests.support.waiting import wait_for

ITEMS = 3
INGEST = TaskKind.INGEST


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"RUSHES_STATE_DIR": str(tmp_path / "state of it")})


Start = Callable[[], "Guard"]


class Guard:
    """`python -m cli.processes.private_redis` as a process."""

    def __init__(self, settings: Settings) -> None:
        self.process = processes.start(
            ["-m", "cli.processes.private_redis"],
            env=os.environ | {"RUSHES_STATE_DIR": str(settings.state_dir)},
            stdout=1,
            stderr=2,
        )
        self.url = wait_for(lambda: self._url(settings), 15, "the private Redis")

    def _url(self, settings: Settings) -> str | None:
        assert self.process.poll() is None
        return private_redis.running_url(settings)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def redis_pid(self) -> int:
        with connect(self.url) as client:
            return int(client.info("server")["process_id"])


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    started: list[Guard] = []

    def one() -> Guard:
        started.append(Guard(settings))
        return started[-1]

    yield one
    for guard in started:
        if guard.process.poll() is None:
            guard.stop()
    private_redis.end_left_behind(private_redis.data_dir(settings))
    private_redis.remove_socket(private_redis.data_dir(settings))


def _append_only_file(settings: Settings) -> Path:
    data = private_redis.data_dir(settings)
    parts = sorted(data.glob("appendonlydir/*.incr.aof"))  # Redis 7 and newer
    return parts[-1] if parts else data / "appendonly.aof"


def test_data_survives_a_stop_and_a_start(start: Start) -> None:
    guard = start()
    with connect(guard.url) as client:
        client.set("kept", "yes")
    assert guard.stop() == 0
    with connect(start().url) as client:
        assert client.get("kept") == "yes"


def test_it_listens_on_no_port_and_forgets_nothing_silently(start: Start) -> None:
    guard = start()
    socket = Path(guard.url.removeprefix("unix://"))
    with connect(guard.url) as client:
        assert client.config_get("port")["port"] == "0"
        assert client.config_get("appendonly")["appendonly"] == "yes"
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    assert socket.stat().st_mode & 0o777 == 0o700
    assert len(str(socket)) <= 100


def test_a_redis_left_behind_is_ended_before_a_new_one_starts(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    first = start()
    orphan = first.redis_pid()
    with connect(first.url) as client:
        client.set("kept", "yes")
    first.process.kill()  # the guard alone: its redis-server lives on
    first.process.wait()
    assert lives(orphan)

    private = start()

    def replaced() -> bool:
        with contextlib.suppress(RedisAway):  # the old one has gone, the new one starts
            return private.redis_pid() != orphan
        return False

    wait_for(replaced, 15, "the new Redis")
    assert not lives(orphan)
    with connect(private.url) as client:
        assert client.get("kept") == "yes"
    assert "left behind" in capfd.readouterr().err


def test_a_silent_redis_left_behind_is_killed(start: Start, settings: Settings) -> None:
    first = start()
    orphan = first.redis_pid()
    first.process.kill()
    first.process.wait()
    os.kill(orphan, signal.SIGSTOP)
    private_redis.end_left_behind(private_redis.data_dir(settings))
    wait_for(lambda: not lives(orphan), 5, "the end of the silent Redis")


def test_another_process_with_the_noted_number_is_left_alone(settings: Settings) -> None:
    data = private_redis.data_dir(settings)
    private_redis.make_socket_path(data)
    (data / "redis.pid").write_text(str(os.getpid()))
    private_redis.end_left_behind(data)  # this test would not survive a mistake
    private_redis.remove_socket(data)


def test_a_half_written_last_command_is_dropped_and_the_rest_kept(
    start: Start, settings: Settings
) -> None:
    guard = start()
    with connect(guard.url) as client:
        client.set("kept", "yes")
    guard.stop()
    with _append_only_file(settings).open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$4\r\nlost")
    with connect(start().url) as client:
        assert client.get("kept") == "yes"


def test_a_garbled_end_is_cut_off_and_the_old_file_kept(
    start: Start, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    guard = start()
    with connect(guard.url) as client:
        client.set("kept", "yes")
    guard.stop()
    with _append_only_file(settings).open("ab") as file:
        file.write(b"\x00" * 4096)
    with connect(start().url) as client:
        assert client.get("kept") == "yes"
    assert list(private_redis.data_dir(settings).glob("broken-*"))
    assert "append-only file is broken" in capfd.readouterr().err


def test_damage_in_the_middle_fails_what_was_open_and_runs_nothing_again(
    start: Start, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    guard = start()
    with connect(guard.url) as client:
        ledger = Ledger(client, settings.instance)
        long_ended = _task(ledger)
        _end(ledger, long_ended)
        tasks = [_task(ledger, kind) for kind in (TaskKind.ANALYZE, TaskKind.ANALYZE, INGEST)]
        leased = ledger.claim(tasks[0].task_id, 0, "worker", "leased")
        assert leased
        client.set("the middle", "x")
        ledger.settle(leased, "done")  # the state before brings it back
        lost = _task(ledger)
    guard.stop()
    file = _append_only_file(settings)
    content = file.read_bytes()
    middle = content.index(b"the middle") + len(b"the middle")
    file.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])

    with connect(start().url) as client:
        ledger = Ledger(client, settings.instance)
        for task in tasks:
            record = ledger.record(task.task_id)
            assert record is not None
            assert record.status is TaskState.FAILED
            assert "append-only file of Redis was damaged" in (record.error or "")
            claims = [ledger.claim(task.task_id, n, "worker", "again") for n in range(ITEMS)]
            assert claims == [None] * ITEMS
        assert ledger.record(lost.task_id) is None
        kept = ledger.record(long_ended.task_id)
        assert kept is not None
        assert kept.status is TaskState.COMPLETED
        assert ledger.sweep() == []
        assert ledger.submit(_new(TaskKind.ANALYZE), "refuse"), "nobody holds the lock"
    assert f"{len(tasks)} tasks that were open have failed" in capfd.readouterr().err


def test_a_cut_tail_leaves_open_tasks_open(start: Start, settings: Settings) -> None:
    guard = start()
    with connect(guard.url) as client:
        task = _task(Ledger(client, settings.instance))
    guard.stop()
    with _append_only_file(settings).open("ab") as file:
        file.write(b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET" + bytes(64))
    with connect(start().url) as client:
        ledger = Ledger(client, settings.instance)
        assert ledger.claim(task.task_id, 0, "worker", "nonce")


def test_a_wrong_length_half_way_loses_nothing_silently(start: Start, settings: Settings) -> None:
    guard = start()
    with connect(guard.url) as client:
        ledger = Ledger(client, settings.instance)
        ended = _task(ledger)
        client.set("half", "way")
        _end(ledger, ended)
    guard.stop()
    file = _append_only_file(settings)
    content = file.read_bytes()
    file.write_bytes(content.replace(b"$4\r\nhalf", b"$9999999\r\nhalf"))

    with connect(start().url) as client:
        record = Ledger(client, settings.instance).record(ended.task_id)
        assert record is not None
        assert record.status is TaskState.FAILED
    (cut_off,) = private_redis.data_dir(settings).glob("broken-*")
    assert content.endswith(cut_off.read_bytes()[-100:])


def test_a_kill_after_the_cut_does_not_bring_back_what_has_ended(
    start: Start, settings: Settings
) -> None:
    guard = start()
    with connect(guard.url) as client:
        ledger = Ledger(client, settings.instance)
        ended = _task(ledger)
        client.set("the middle", "x" * 64)
        _end(ledger, ended)
    guard.stop()
    file = _append_only_file(settings)
    file.write_bytes(file.read_bytes().replace(b"x" * 64, bytes(66)))
    data = private_redis.data_dir(settings)
    assert private_redis.mend(redis_binary.find(), data)  # and here the power goes

    with connect(start().url) as client:
        record = Ledger(client, settings.instance).record(ended.task_id)
        assert record is not None
        assert record.status is TaskState.FAILED
    assert not private_redis.lost_changes(data).exists()


def test_a_redis_left_behind_while_it_was_mended_is_ended(settings: Settings) -> None:
    data = private_redis.data_dir(settings)
    socket = private_redis.make_socket_path(data)
    command = [redis_binary.find(), "--port", "0", "--unixsocket", socket.with_name("mend.sock")]
    command += ["--dir", data, "--pidfile", data / "redis.pid"]
    noted = data / "redis.pid"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as left:
        wait_for(lambda: noted.exists() and noted.read_text(), 10, "its process number")
        private_redis.end_left_behind(data)
        assert left.wait(5) != 0
    private_redis.remove_socket(data)


def test_without_room_for_what_is_cut_off_nothing_is_cut(
    start: Start, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    start().stop()
    file = _append_only_file(settings)
    file.write_bytes(b"*1\r\n$4\r\nPING\r\n" + bytes(100))
    data = private_redis.data_dir(settings)

    def full(_source: object, _target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(private_redis.shutil, "copyfileobj", full)
    with pytest.raises(SettingsError, match=r"No space left on device.*free 1 MB"):
        private_redis.mend(redis_binary.find(), data)
    assert file.read_bytes().endswith(bytes(100))


def _new(kind: TaskKind) -> NewTask:
    files = (ItemFile("/a.mp4"),)
    return NewTask(kind=kind, items=[NewItem(b"{}", files) for _ in range(ITEMS)])


def _task(ledger: Ledger, kind: TaskKind = TaskKind.ANALYZE) -> NewTask:
    task = _new(kind)
    ledger.submit(task, "queue")
    return task


def _end(ledger: Ledger, task: NewTask) -> None:
    for n in range(ITEMS):
        lease = ledger.claim(task.task_id, n, "worker", "nonce")
        assert lease
        ledger.settle(lease, "done")


def test_the_guard_ends_when_redis_does(start: Start) -> None:
    guard = start()
    os.kill(guard.redis_pid(), signal.SIGKILL)
    assert guard.process.wait(10) != 0


def test_redis_ends_when_the_parent_of_its_guard_is_gone(settings: Settings) -> None:
    reading, writing = os.pipe()
    guard = subprocess.Popen(
        [sys.executable, "-m", "cli.processes.private_redis"],
        env=os.environ
        | {"RUSHES_STATE_DIR": str(settings.state_dir), "RUSHES_PARENT_FD": str(reading)},
        pass_fds=(reading,),
    )
    os.close(reading)
    url = wait_for(lambda: private_redis.running_url(settings), 15, "the private Redis")
    with connect(url) as client:
        pid = int(client.info("server")["process_id"])
    os.close(writing)
    assert guard.wait(15) == 0
    assert not lives(pid)
    private_redis.remove_socket(private_redis.data_dir(settings))


def test_without_any_redis_server_the_sentence_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(redis_binary.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(redis_binary.SettingsError, match="apt install redis-server"):
        redis_binary.find()


def test_a_redis_server_that_is_too_old_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=5.0.3 sha=0'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert redis_binary.find() != old
