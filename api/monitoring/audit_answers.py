"""What is answered of the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct


class AuditedDeed(Struct, kw_only=True):
    """A line of the audit log: who changed or took what."""

    at: Annotated[str, Meta(examples=["2026-11-28T18:14:59.102+00:00"])]
    """ISO 8601, UTC."""
    action: Annotated[str, Meta(examples=["export_clips"])]
    """Name of the operation."""
    key_id: Annotated[str, Meta(examples=["4f1c2d7e"])]
    """Of the licence key."""
    key_label: Annotated[str, Meta(examples=["Edit 3"])]
    """What the key was called then."""
    address: Annotated[str, Meta(examples=["10.0.0.17"])]
    """Of the client."""
    client: Annotated[str, Meta(examples=["RushesPremiere/3.1"])]
    """What the client calls itself."""
    task_id: Annotated[str, Meta(examples=["8f14e45f"])]
    """Of the task, if it is about one; else empty."""
    details: Annotated[dict[str, Any], Meta(examples=[{"output_dir": "/mnt/out"}])]
    """What was asked for."""


class AuditPage(Struct, kw_only=True):
    """Some lines of the audit log, the newest first."""

    lines: list[AuditedDeed]
    """Of what was asked for."""
    next: Annotated[str, Meta(examples=["1f2e3d4c5b6a7980-48120"])] | None
    """`after` of the page that follows; null: this is the last one."""
