"""Why a machine cannot do an Item now, though it may later, or another may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import HandBack
from shared.ledger.records import WaitCode

NOT_READY_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class NotHere:
    """Why an Item is left to others for a while."""

    reason: str
    wait_s: float = NOT_READY_WAIT_S  # how long its jobs are left to others
    is_over: Callable[[], bool] | None = None  # looked at meanwhile: then the waiting ends at once
    # What it waits for, where nobody can tell for how long: then it is parked.
    waits_for: tuple[WaitCode, str] | None = None


class NotHereAnyMore(HandBack):
    """What the Item needs went away in the middle of it: unwind, as for a HandBack."""

    def __init__(self, not_here: NotHere) -> None:
        super().__init__(not_here.reason)
        self.not_here = not_here
