"""docs/operate/configuration.md lists every setting as it is in the code."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from shared.settings import OTHER_VARIABLES, PREFIX, Settings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "operate" / "configuration.md"


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
    assert not missing, "put these rows into docs/operate/configuration.md:\n" + "\n".join(missing)
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


# What the first release knew. The page on going back names all others.
FIRST_RELEASE = """
    ALLOW_NONCOMMERCIAL AUDIO_STREAMS CACHE_ROOTS CORS_ORIGINS DEVICE EXPORT_ROOTS FACE_MODEL HOST
    INSTANCE LICENSE_KEYS LOG_FORMAT LOG_LEVEL MAX_BODY_MB MEDIA_ROOTS METRICS MODELS_DIR
    MODEL_IDLE_MINUTES MODEL_MEMORY_MB PATH_MAP PORT REDIS_URL SOCKET_AUTH SPEECH_MODEL STATE_DIR
    TRACES_ENDPOINT VISUAL_MODEL WATCH_EXTENSIONS WATCH_POLL_SECONDS WATCH_RESCAN_SECONDS WORKERS
"""


def test_going_back_names_the_settings_that_the_first_release_does_not_know() -> None:
    page = PAGE.with_name("operations.md").read_text(encoding="utf-8")
    going_back = page.partition("- **Going back**")[2].partition("\n## ")[0]
    newer = {field.name.upper() for field in dataclasses.fields(Settings)} - set(
        FIRST_RELEASE.split()
    )
    assert [name for name in sorted(newer) if f"`{PREFIX}{name}`" not in going_back] == []
