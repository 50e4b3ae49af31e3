"""The manifest fields that every artefact with one row a grid frame has in common."""

from __future__ import annotations

from typing import Any

from workers.context import Context


def manifest_fields(context: Context, seconds: list[int]) -> dict[str, Any]:
    """Rows are numbered from the first second; where some are missing, all are listed."""
    first = seconds[0]
    has_gaps = seconds[-1] - first + 1 != len(seconds)
    return {
        "rows": len(seconds),
        "first_frame": first,
        "seconds": tuple(seconds) if has_gaps else None,
        "task_id": context.lease.task_id,
        "worker": context.bench.worker,
    }
