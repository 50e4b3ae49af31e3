"""`python -m workers.alive`, the health check of worker containers, beside a real worker."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from shared.redis import heartbeats
from shared.redis.clients import connect
from shared.redis.heartbeats import Heartbeat
from tests.support.private_redis import PrivateRedis
from tests.support.running import processes
from tests.support.stack import Stack
from tests.support.waiting import wait_for


def alive(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    return processes.run(["-m", "workers.alive", *words], env=stack.environment(), timeout_s=20)


@pytest.fixture
def stack(tmp_path: Path, own_redis: PrivateRedis) -> Stack:
    return Stack(tmp_path, own_redis.url)


def test_a_worker_of_this_host_is_alive_until_it_ends(stack: Stack) -> None:
    assert alive(stack).returncode == 1
    watcher = stack.start("watcher", "-m", "workers", "watcher")
    try:
        with connect(stack.redis_url) as client:
            wait_for(lambda: heartbeats.live(client, "default"), 20, "the watcher's heartbeat")
        assert alive(stack, "watcher").returncode == 0
        assert alive(stack).returncode == 0
        other = alive(stack, "analysis")
        assert other.returncode == 1
        assert f"No analysis of {socket.gethostname()}" in other.stdout
    finally:
        watcher.end()
    assert alive(stack, "watcher").returncode == 1


def test_a_worker_of_another_host_does_not_count(stack: Stack) -> None:
    beat = Heartbeat(name="w", kind="export", host="elsewhere", pid=1, started_at=1.0)
    with connect(stack.redis_url) as client:
        heartbeats.publish(client, "default", beat)
    assert alive(stack, "export").returncode == 1


def test_nobody_is_killed_for_an_outage_of_redis(stack: Stack, own_redis: PrivateRedis) -> None:
    own_redis.stop()
    done = alive(stack, "analysis")
    assert done.returncode == 0
    assert "Redis does not answer" in done.stdout


def test_a_wrong_kind_is_wrong_use(stack: Stack) -> None:
    assert alive(stack, "cooking").returncode == 2
