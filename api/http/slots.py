"""What is wrong with one thing of a batch is said in its own slot, and ends nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.errors import ModelLoading, NoWorker, RedisAway, RushesError

OUTAGES = (RedisAway, NoWorker, ModelLoading)  # of all things; a folder that hangs is one thing's

log = logging.getLogger(__name__)
_UNEXPECTED = "Something went wrong; the server's log says what."


@dataclass(slots=True)
class Failure:
    """Why a thing failed; None where it did not."""

    reason: str | None = None


@contextmanager
def own_slot(thing: str, *ends_all: type[RushesError]) -> Iterator[Failure]:
    """Do something about one thing of a batch; errors `ends_all` are the whole request's.

    What nobody foresaw is logged with its cause.
    """
    failure = Failure()
    try:
        yield failure
    except ends_all:
        raise
    except RushesError as error:
        failure.reason = error.message
        if type(error) is RushesError:  # from a worker, which has logged what it was
            log.warning("%s failed: %s", thing, error.message)
            failure.reason = _UNEXPECTED
    except Exception as error:  # whatever decoders and damaged files raise: of this thing alone
        log.exception("%s failed: %s", thing, error)
        failure.reason = _UNEXPECTED
