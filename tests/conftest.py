"""Fixtures for every test: a private real Redis, and no ERROR record goes unnoticed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from xdist.workermanage import WorkerController

from shared.process import telemetry
from tests.support import openapi_agreement
from tests.support.private_redis import PrivateRedis, private_redis
from tests.support.running import processes
from tests.support.running.once import shared_in
from tests.support.stack import Client

pytest_plugins = [
    "tests.support.analysis.desk_fixtures",
    "tests.support.running.hanging",
    "tests.support.running.minutes",
    "tests.support.running.selection",
    "tests.support.running.side_by_side",
]


def pytest_configure(config: pytest.Config) -> None:
    workerinput: dict[str, str] = getattr(config, "workerinput", {})
    processes.use_fork_server(workerinput.get("fork_server"))
    telemetry.switch_off()
    Client.on_answer.append(openapi_agreement.check)


def pytest_configure_node(node: WorkerController) -> None:
    """Give all processes that run tests the same fork server."""
    node.workerinput["fork_server"] = processes.address_for_all()


@pytest.fixture(scope="session", autouse=True)
def _material(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Before all others: a folder for what the processes of this run make once."""
    own = tmp_path_factory.getbasetemp()
    with shared_in((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "made-once"):
        yield


@pytest.fixture(scope="session")
def _shared_redis() -> Iterator[PrivateRedis]:
    with private_redis() as server:
        yield server


@pytest.fixture
def redis_url(_shared_redis: PrivateRedis) -> str:
    """URL of a real, empty Redis."""
    _shared_redis.flush()
    return _shared_redis.url


@pytest.fixture
def own_redis() -> Iterator[PrivateRedis]:
    """A real Redis of this test alone, that it may stop and start again."""
    with private_redis() as server:
        yield server


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def no_error_records(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that logs at ERROR, unless it is marked `logs_errors`."""
    handler = _Errors()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    if handler.seen and request.node.get_closest_marker("logs_errors") is None:
        pytest.fail("logged at ERROR: " + "; ".join(handler.seen))
