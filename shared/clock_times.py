"""Clock times as text: HH:MM:SS, and HH:MM:SS.mmm rounded once to whole milliseconds."""

from __future__ import annotations


def timestamp(seconds: float) -> str:
    """`HH:MM:SS` of a position, rounded down; the hours grow beyond 99."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, rounded once, half up; all fields of a time are made from this."""
    whole = int(seconds)
    return whole * 1000 + int((seconds - whole) * 1000 + 0.5)


def clock(ms: int, separator: str = ".") -> str:
    """`HH:MM:SS.mmm` of milliseconds."""
    return f"{timestamp(ms // 1000)}{separator}{ms % 1000:03d}"
