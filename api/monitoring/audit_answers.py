"""What is answered of the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct


class AuditedDeed(Struct, kw_only=True):
    """A line of the audit log: who changed or took what."""

    at: Annotated[
        str, Meta(description="ISO 8601, UTC.", examples=["2026-11-28T18:14:59.102+00:00"])
    ]
    action: Annotated[str, Meta(description="Name of the operation.", examples=["export_clips"])]
    key_id: Annotated[str, Meta(description="Of the licence key.", examples=["4f1c2d7e"])]
    key_label: Annotated[
        str, Meta(description="What the key was called then.", examples=["Edit 3"])
    ]
    address: Annotated[str, Meta(description="Of the client.", examples=["10.0.0.17"])]
    client: Annotated[
        str, Meta(description="What the client calls itself.", examples=["RushesPremiere/3.1"])
    ]
    task_id: Annotated[
        str, Meta(description="Of the task, if it is about one; else empty.", examples=["8f14e45f"])
    ]
    details: Annotated[
        dict[str, Any],
        Meta(description="What was asked for.", examples=[{"output_dir": "/mnt/out"}]),
    ]


class AuditPage(Struct, kw_only=True):
    """Some lines of the audit log, the newest first."""

    lines: Annotated[list[AuditedDeed], Meta(description="Of what was asked for.")]
    next: (
        Annotated[
            str,
            Meta(description="`after` of the page that follows; null: this is the last one."),
        ]
        | None
    )
