"""What an analysis is said to cost where there are no workers, and where something was measured."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.cache.cache_dir import CacheDir
from shared.domain import Probe, ProgressType
from shared.ledger.ledger import Ledger, Rates, WorkKind
from shared.media import MediaType
from shared.redis.clients import connect
from tests.support.cache_material import MODEL
from tests.support.private_redis import PrivateRedis
from tests.support.search.search_data import media_hash, publish, random_units
from tests.support.stack import Client

VIDEO, FACES, AUDIO = ProgressType.VIDEO, ProgressType.FACES, ProgressType.AUDIO


@pytest.fixture
def folder(media: Path) -> Path:
    """A new folder in the media root with two clips, a still and a camera's raw file."""
    made = media / f"day {secrets.token_hex(4)}"
    made.mkdir()
    for name, size in (("a.mov", 100), ("b.mov", 300), ("c.jpg", 50), ("d.braw", 10)):
        (made / name).write_bytes(bytes(size))
    return made


@pytest.fixture
def cache(caches: Path) -> CacheDir:
    return CacheDir.open(str(caches / secrets.token_hex(4)), create=True)


@pytest.fixture
def rates_redis(api_redis: PrivateRedis) -> redis.Redis:
    return connect(api_redis.url)


@pytest.fixture
def ledger(rates_redis: redis.Redis) -> Ledger:
    """That of the API process."""
    return Ledger(rates_redis, "default")


def known(cache: CacheDir, path: Path, seconds: float, *, model: str = MODEL) -> None:
    """A file that is analyzed with a model, and how long it is."""
    probe = Probe(media_type=MediaType.VIDEO, duration_seconds=seconds, has_audio=False)
    number = int(secrets.token_hex(4), 16)
    rows = random_units(2, 384, 1)
    publish(cache, media_hash(number), rows, model=model, path=path, probe=probe)


def estimate(client: Client, cache: CacheDir, *paths: Path, **more: Any) -> dict[str, Any]:
    asked = {"cache_dir": str(cache.root), "paths": [str(path) for path in paths], **more}
    return dict(client.ok("/analyze/estimate", **asked))


def test_what_was_never_measured_is_not_known(
    client: Client, folder: Path, cache: CacheDir
) -> None:
    found = estimate(client, cache, folder)
    assert found["files"] == {
        "total": 3,
        "new": 3,
        "analyzed": 0,
        "left_out": 0,
        "unsupported": 1,
    }
    assert found["bytes"] == 450
    assert (found["hours"], found["seconds"], found["disk_bytes"]) == (None, None, None)
    assert found["basis"].startswith("How long 2 files may be is not known:")
    assert found["waits"].startswith("No analysis worker is running")
    assert (found["is_partial"], found["warnings"]) == (False, [])


def test_files_are_counted_by_what_there_is_to_do(
    client: Client, folder: Path, cache: CacheDir
) -> None:
    known(cache, folder / "a.mov", 3600)
    client.ok(
        "/analysis-data/left-out",
        cache_dir=str(cache.root),
        media_paths=[str(folder / "b.mov")],
        left_out=True,
    )
    found = estimate(client, cache, folder)
    assert found["files"] == {
        "total": 3,
        "new": 1,
        "analyzed": 1,
        "left_out": 1,
        "unsupported": 1,
    }
    assert (found["bytes"], found["hours"], found["hours_are"]) == (50, 0, "known")
    faces = estimate(client, cache, folder / "a.mov", faces=True)
    assert (faces["files"]["new"], faces["hours"]) == (1, 1)
    sound = estimate(client, cache, folder / "c.jpg", visual=False)
    assert (sound["files"]["total"], sound["files"]["unsupported"]) == (0, 1)
    assert (sound["seconds"], sound["basis"]) == (None, "There is nothing to do.")


def test_lengths_go_by_size_where_some_are_known(
    client: Client, folder: Path, cache: CacheDir, ledger: Ledger
) -> None:
    known(cache, folder / "a.mov", 3600, model="another")
    found = estimate(client, cache, folder, speech=False)
    assert (found["files"]["new"], found["hours"], found["hours_are"]) == (3, 4, "estimated")
    assert found["disk_bytes"] == pytest.approx(4 * 100e6 + 100e6 / 3600, rel=0.001)
    assert "has not measured that yet" in found["basis"]
    ledger.measured(WorkKind.of("footage", {VIDEO: MODEL}).name, 400.0, 100.0)
    found = estimate(client, cache, folder, speech=False)
    assert "pictures 4.0 times as fast as the footage plays" in found["basis"]
    assert found["basis"].endswith("No analysis worker runs now.")
    assert found["seconds"] is None  # nobody is there to do it


def test_an_estimate_names_what_is_wrong_with_it(
    client: Client, folder: Path, cache: CacheDir
) -> None:
    for wrong, words in (
        ({"visual": False, "speech": False}, "nothing to estimate"),
        ({"paths": []}, "paths"),
        ({"paths": [str(folder / "gone")]}, "paths[0]: there is neither"),
    ):
        asked = {"cache_dir": str(cache.root), "paths": [str(folder)], **wrong}
        answer = client.post("/analyze/estimate", **asked)
        assert answer.status_code == 400
        assert words in answer.json()["message"]


@pytest.mark.usefixtures("client")
def test_what_was_measured_long_ago_counts_less(ledger: Ledger, rates_redis: redis.Redis) -> None:
    kind = WorkKind.of("footage", {AUDIO: "whisper"})
    for _ in range(20):
        ledger.measured(kind.name, 3600.0, 3600.0)
    for _ in range(8):
        ledger.measured(kind.name, 36_000.0, 3600.0)
    rate = Rates.read(rates_redis, "default").of(kind)
    assert rate is not None
    assert rate.speed > 6
    assert rate.seconds <= 4 * 3600


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    ("measured", "asked", "speed"),
    [
        ({(VIDEO, FACES): 10.0}, (VIDEO, FACES), 10.0),
        ({(VIDEO,): 10.0, (FACES,): 10.0}, (VIDEO, FACES), 5.0),
        ({(VIDEO, FACES): 10.0}, (FACES,), 10.0),
        ({(VIDEO,): 10.0}, (VIDEO, FACES), None),
        ({}, (AUDIO,), None),
    ],
)
def test_work_that_was_not_measured_goes_by_what_is_like_it(
    ledger: Ledger,
    rates_redis: redis.Redis,
    measured: Mapping[tuple[ProgressType, ...], float],
    asked: tuple[ProgressType, ...],
    speed: float | None,
) -> None:
    for parts, its_speed in measured.items():
        kind = WorkKind.of("footage", dict.fromkeys(parts, "m"))
        ledger.measured(kind.name, 100 * its_speed, 100.0)
    found = Rates.read(rates_redis, "default")
    rate = found.of(WorkKind.of("footage", dict.fromkeys(asked, "m")))
    assert (rate and pytest.approx(rate.speed)) == speed
