"""How much of the work on one file is done."""

from __future__ import annotations

LEFT_FOR_PUBLISHING = 0.02  # of a file's progress


def share_done(seconds: float, duration_seconds: float | None) -> float:
    """Part of a file's work that is done after so many of its seconds."""
    if not duration_seconds:
        return 1 - LEFT_FOR_PUBLISHING
    return min(1.0, seconds / duration_seconds) * (1 - LEFT_FOR_PUBLISHING)
