"""docs/configuration.md lists every setting as it is in the code."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from shared.settings import OTHER_VARIABLES, PREFIX, Settings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"


def row(field: dataclasses.Field[object]) -> str:
    """The table row of a setting: name, default, unit and help."""
    name, unit, help_text = PREFIX + field.name.upper(), *_metadata(field)
    return f"| `{name}` | {shown(field.default)} | {unit} | {help_text} |"


def _metadata(field: dataclasses.Field[object]) -> tuple[str, str]:
    return field.metadata["unit"], field.metadata["help"].replace("|", "\\|")


def shown(default: object) -> str:
    if default is None or default == ():
        return "unset"
    if isinstance(default, bool):
        return "`on`" if default else "`off`"
    return f"`{default}`"


def test_every_setting_has_its_row_and_no_row_is_left_over() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [row(field) for field in dataclasses.fields(Settings) if row(field) not in page]
    assert not missing, "put these rows into docs/configuration.md:\n" + "\n".join(missing)
    named = set(re.findall(r"^\| `(RUSHES_\w+)` \| .* \| .* \| ", page, flags=re.MULTILINE))
    assert named == {PREFIX + field.name.upper() for field in dataclasses.fields(Settings)}


def test_every_setting_says_what_it_is_for() -> None:
    for field in dataclasses.fields(Settings):
        assert field.metadata["help"].endswith(".") or ":" in field.metadata["help"], field.name


def test_what_else_has_our_prefix_is_documented_too() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, help_text in OTHER_VARIABLES.items():
        assert re.search(
            rf"^\| `{name}` \| .+ \| {re.escape(help_text)} \|$", page, flags=re.MULTILINE
        ), name
