"""What is answered of `rushes doctor`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class DoctorFinding(Struct, kw_only=True):
    """Result of a check."""

    subject: Annotated[str, Meta(description="What was looked at.", examples=["disk space"])]
    level: Annotated[
        Literal["ok", "warning", "problem"],
        Meta(title="FindingLevel", description="How it is.", examples=["warning"]),
    ]
    message: Annotated[
        str,
        Meta(
            description="Half of a sentence, without a full stop.",
            examples=["900 MB are free on the disk of /mnt/show1"],
        ),
    ]
    cure: (
        Annotated[
            str,
            Meta(description="What mends it; null: nothing to mend.", examples=["make room there"]),
        ]
        | None
    )


class DoctorReport(Struct, kw_only=True):
    """What `rushes doctor` says on the machine of the API process."""

    ok: Annotated[bool, Meta(description="There is no problem; there may be warnings.")]
    checked_at: Annotated[
        float, Meta(description="When it was looked, Unix seconds.", examples=[1764028800.0])
    ]
    age_seconds: Annotated[
        float, Meta(description="Seconds since `checked_at`.", examples=[1.4])
    ] = 0.0
    host: Annotated[
        str, Meta(description="The machine, or container, that this is about.", examples=["edit3"])
    ]
    findings: Annotated[list[DoctorFinding], Meta(description="In the order of the checks.")]
