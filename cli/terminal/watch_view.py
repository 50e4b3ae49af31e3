"""The watch status for people: a headline, a line for each folder, the files that failed."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table

from cli.api_client import ApiClient, Event

_MOST_FAILURES = 10


class WatchView:
    """Knows what the folders are called: a status has their ids only."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._paths: dict[str, str] = {}

    def whole(self, status: Event) -> RenderableType:
        """Everything, for a terminal."""
        parts: list[RenderableType] = [headline(status)]
        if status["last_error"]:
            parts.append(f"last error: {status['last_error']}")
        if status["folder_stats"]:
            parts.append(self._table(status["folder_stats"]))
        parts += _failures(status["folder_stats"])
        return Group(*parts)

    def _table(self, folders: dict[str, dict[str, Any]]) -> Table:
        right = [
            Column(name, justify="right") for name in ("pending", "done", "failed", "left out")
        ]
        table = Table(Column("folder", overflow="fold"), "state", *right, "what holds it up")
        for folder_id, stats in folders.items():
            left_out = stats["files_skipped"] + stats["files_unsupported"]
            numbers = (stats[f"files_{name}"] for name in ("pending", "processed", "failed"))
            table.add_row(
                self._path(folder_id),
                stats["state"],
                *(f"{number:,}" for number in (*numbers, left_out)),
                stats["reason"] or "",
            )
        return table

    def _path(self, folder_id: str) -> str:
        if folder_id not in self._paths:
            found = self._api.get("/watch-folders")["watch_folders"]
            self._paths = {folder["id"]: folder["path"] for folder in found}
        return self._paths.get(folder_id, folder_id)


def headline(status: Event) -> str:
    """The service in one line."""
    words = [status["state"]]
    if status["current_file"]:
        words.append(status["current_file"])
    if status["paused_until"]:
        until = time.strftime("%H:%M", time.localtime(status["paused_until"]))
        words.append(f"an analysis has precedence, until about {until}")
    failed = sum(stats["files_failed"] for stats in status["folder_stats"].values())
    words.append(
        f"{status['files_pending']:,} pending, {status['files_processed_this_session']:,} done "
        f"since the start, {failed:,} failed"
    )
    return "; ".join(words)


def is_done(status: Event) -> bool:
    """Whether every folder was looked through and nothing is left to do."""
    stats = status["folder_stats"].values()
    return (
        status["state"] == "waiting"
        and not status["files_pending"]
        and all(one["last_scan_at"] for one in stats if one["state"] != "stopped")
    )


def _failures(folders: dict[str, dict[str, Any]]) -> list[str]:
    failures = [failure for stats in folders.values() for failure in stats["failures"]]
    lines = [f"failed: {one['path']}: {one['error']}" for one in failures[:_MOST_FAILURES]]
    if len(failures) > _MOST_FAILURES:
        lines.append("… see `rushes watch files FOLDER --state failed`")
    return lines
