"""A Redis that was started anew, and may have lost what was written last."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from shared.redis.clients import connect
from shared.watch.options import FileGroup
from tests.support.private_redis import PrivateRedis
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import IngestStack, still


@pytest.fixture
def redis() -> Iterator[PrivateRedis]:
    with tempfile.TemporaryDirectory(prefix="rr-") as folder:
        server = PrivateRedis(Path(folder), append_only=True)
        server.start()
        yield server
        server.stop()


def test_what_redis_lost_when_it_was_killed_is_found_again(
    tmp_path: Path, redis: PrivateRedis
) -> None:
    """With its log on the disk every second, the last second of changes is lost."""
    ingest = IngestStack(tmp_path, redis.url)
    try:
        still(ingest.media / "a.png", 1)
        ingest.worker_with_fake_embedder()
        folder = ingest.watch()
        ingest.start_watching()
        watcher = ingest.watcher()
        ingest.wait_processed(folder, "a.png")
        lost = replace(ingest.processed(folder)["a.png"], group=FileGroup.PENDING, made="")
        key = f"rushes:default:watch:files:{folder.id}"
        ingest.client.hset(key, str(ingest.media / "a.png"), msgspec.json.encode(lost).decode())
        redis.stop()
        redis.start()
        ingest.client = connect(redis.url)
        wait_for(lambda: "was started anew" in watcher.text(), 20, ingest.logs)
        ingest.wait_processed(folder, "a.png")
        assert set(ingest.published().values()) == {1}
    finally:
        ingest.close()
