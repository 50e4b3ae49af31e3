"""Which fault each error of the tree is."""

from __future__ import annotations

import pytest

from shared import errors
from shared.domain import Fault
from workers.analysis.speech.transcribing import SpeechNotUnderstood
from workers.context import fault_of


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (errors.MediaUnreadable("corrupt"), Fault.FILE),
        (SpeechNotUnderstood("not that language"), Fault.FILE),
        (errors.NotAllowed(), Fault.FILE),
        (errors.MediaUnsupported(), Fault.UNSUPPORTED),
        (errors.MediaChanging(), Fault.CHANGING),
        (errors.MediaMissing(), Fault.MISSING),
        (errors.CacheError("full"), Fault.CACHE),
        (errors.ModelError("not there"), Fault.MODEL),
        (errors.BadInput("no such folder"), Fault.INTERNAL),
        (errors.RedisAway(), Fault.INTERNAL),
        (ZeroDivisionError(), Fault.INTERNAL),
    ],
)
def test_only_what_is_wrong_with_the_file_is_the_files_fault(
    error: Exception, fault: Fault
) -> None:
    assert fault_of(error) is fault
