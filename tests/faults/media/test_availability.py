"""What workers see of the roots, also where a share hangs: no heart stops for it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.domain import ModelKind
from shared.settings import Settings
from tests.support.stack import Client, running_stack
from tests.support.system.faulty_disk import FaultyDisk, faulty_disk
from tests.support.waiting import wait_for
from workers.presence import availability
from workers.presence.availability import Availability

OFTEN_S = 0.02
NOTICED_WITHIN_S = 30


@pytest.fixture
def share(tmp_path: Path) -> Iterator[FaultyDisk]:
    (tmp_path / "source").mkdir()
    with faulty_disk(tmp_path / "source", tmp_path / "share") as share:
        yield share


def missing(client: Client) -> str:
    """What the strict question says is missing; "" where nothing is."""
    return str(client.get("/ready?require=models,roots").json().get("message", ""))


def wait_missing(client: Client, is_so: bool) -> None:
    """Until something is missing, or nothing is."""
    wait_for(
        lambda: bool(missing(client)) is is_so,
        NOTICED_WITHIN_S,
        lambda: f"{is_so}: {missing(client)}",
        every_s=0.2,
    )


def test_a_root_that_hangs_fails_or_goes_is_seen_no_more_and_the_others_are(
    tmp_path: Path, share: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "STALE_S", 0.5)
    here, goes = tmp_path / "here", tmp_path / "goes"
    here.mkdir()
    goes.mkdir()
    roots = (here, goes, share.mounted)
    settings = Settings(media_roots=roots[:2], cache_roots=roots[1:], models_dir=tmp_path)
    seen = Availability(settings, OFTEN_S)
    assert seen.roots() == (), "it has not looked yet"
    seen.start()
    try:
        wait_for(lambda: seen.roots() == tuple(map(str, roots)), 5, "all roots")
        share.hang()
        goes.rmdir()
        wait_for(lambda: seen.roots() == (str(here),), 5, "what is left")
        share.come_back()
        goes.touch()  # no folder
        wait_for(lambda: seen.roots() == (str(here), str(share.mounted)), 5, "the share")
        share.fail(errno.EIO, "")
        wait_for(lambda: seen.roots() == (str(here),), 5, "a disk that fails")
    finally:
        share.come_back()
        seen.end()


def test_weights_that_are_away_are_said_of_each_needed_model_and_come(tmp_path: Path) -> None:
    seen = Availability(Settings(models_dir=tmp_path), OFTEN_S)
    seen.keys = {
        ModelKind.VISUAL: "mine",
        ModelKind.SPEECH: "nobody",
        ModelKind.FACES: "dlib-resnet",
    }
    seen.start()
    try:
        wait_for(lambda: seen.trouble(ModelKind.SPEECH, "nobody"), 5, "a look")
        assert "no speech model 'nobody'" in str(seen.trouble(ModelKind.SPEECH, "nobody"))
        pull = "Fetch them with `rushes models pull dlib-resnet`."
        assert str(seen.trouble(ModelKind.FACES, "dlib-resnet")).endswith(pull)
        assert seen.trouble(ModelKind.VISUAL, "mine")
        (tmp_path / "open_clip" / "mine").mkdir(parents=True)
        (tmp_path / "open_clip" / "mine" / "open_clip_config.json").write_text("{}")
        wait_for(lambda: not seen.trouble(ModelKind.VISUAL, "mine"), 5, "the weights")
    finally:
        seen.end()


def test_workers_live_on_while_a_root_hangs_which_readiness_names(
    tmp_path: Path, redis_url: str, share: FaultyDisk
) -> None:
    (tmp_path / "media").mkdir()
    settings = {
        "RUSHES_MEDIA_ROOTS": f"{tmp_path / 'media'}:{share.mounted}",
        "RUSHES_CACHE_ROOTS": str(tmp_path / "media"),
    }
    with running_stack(tmp_path / "stack", redis_url, **settings) as stack:
        client = stack.client()
        wait_missing(client, False)
        share.hang()
        try:
            wait_missing(client, True)
            assert missing(client) == (
                f"No live worker sees {share.mounted} (RUSHES_MEDIA_ROOTS). Mount its disk where "
                "the workers run, or correct the setting."
            )
            assert client.get("/ready").json()["workers"] == {"analysis": 1, "query": 1}
        finally:
            share.come_back()
        wait_missing(client, False)
