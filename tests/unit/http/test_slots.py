"""A thing of a batch fails alone."""

from __future__ import annotations

import logging

import pytest

from api.http.concurrency import own_slot
from shared.errors import CacheError, MediaMissing, RedisAway, RushesError


def test_what_is_wrong_with_a_thing_is_said_in_its_slot() -> None:
    with own_slot("/a.mov", RedisAway) as failure:
        raise MediaMissing
    assert failure.reason == "The file does not exist."
    with own_slot("/a.mov", RedisAway) as failure:
        pass
    assert failure.reason is None


def test_what_concerns_the_whole_request_ends_it() -> None:
    with pytest.raises(RedisAway), own_slot("/a.mov", RedisAway, CacheError):
        raise RedisAway


@pytest.mark.logs_errors
def test_what_nobody_foresaw_is_logged_with_its_cause_and_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with own_slot("/a.mov") as failure:
        raise AttributeError("no attribute 'codec'")
    assert failure.reason == "Something went wrong; the server's log says what."
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert "/a.mov failed: no attribute 'codec'" in record.getMessage()


def test_what_a_worker_did_not_foresee_is_not_shown_either() -> None:
    with own_slot("/a.mov") as failure:
        raise RushesError("An internal error: AttributeError: no attribute 'codec'")
    assert failure.reason == "Something went wrong; the server's log says what."
