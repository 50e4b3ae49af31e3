"""Files of labelled queries: CSV with the columns of the API's labels, or JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from cli.arguments.media_arguments import seconds, server_path
from shared.errors import BadInput

_NEEDED = ("query", "media_path")
_TIMES = ("start_seconds", "end_seconds")


def labels_of(path: Path) -> list[dict[str, Any]]:
    """One label for each right answer. Raises BadInput, naming the row."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from error
    rows = _of_json(path, text) if text.lstrip().startswith("[") else list(_of_csv(path, text))
    return [_label(f"{path}: row {n}", row) for n, row in enumerate(rows, start=1)]


def _of_csv(path: Path, text: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise BadInput(
            f"{path} has no column {' and no '.join(missing)}: its first line must name them "
            f"(query,media_path, and if you like {','.join(_TIMES)})."
        )
    return list(reader)


def _of_json(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{path} is no JSON: {error}.") from error
    if not all(isinstance(row, dict) for row in rows):
        raise BadInput(f"{path} must be a list of objects with query and media_path.")
    return list(rows)


def _label(where: str, row: dict[str, Any]) -> dict[str, Any]:
    if not all(isinstance(row.get(name), str) and row[name].strip() for name in _NEEDED):
        raise BadInput(f"{where} needs a query and a media_path.")
    times = {name: seconds(str(row[name])) for name in _TIMES if row.get(name) not in (None, "")}
    return {"query": row["query"], "media_path": server_path(row["media_path"]), **times}
