"""What is answered of `rushes doctor`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class DoctorFinding(Struct, kw_only=True):
    """Result of a check."""

    subject: Annotated[str, Meta(examples=["disk space"])]
    """What was looked at."""
    level: Annotated[
        Literal["ok", "warning", "problem"], Meta(title="FindingLevel", examples=["warning"])
    ]
    """How it is."""
    message: Annotated[str, Meta(examples=["900 MB are free on the disk of /mnt/show1"])]
    """Half of a sentence, without a full stop."""
    cure: Annotated[str, Meta(examples=["make room there"])] | None
    """What mends it; null: nothing to mend."""


class DoctorReport(Struct, kw_only=True):
    """What `rushes doctor` says on the machine of the API process."""

    ok: Annotated[bool, Meta(examples=[True])]
    """There is no problem; there may be warnings."""
    checked_at: Annotated[float, Meta(examples=[1764028800.0])]
    """When it was looked, Unix seconds."""
    age_seconds: Annotated[float, Meta(examples=[1.4])] = 0.0
    """Seconds since `checked_at`."""
    host: Annotated[str, Meta(examples=["edit3"])]
    """The machine, or container, that this is about."""
    findings: list[DoctorFinding]
    """In the order of the checks."""
