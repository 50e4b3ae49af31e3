"""Every setting says what it is for, and the page on going back names those that are new."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from shared.settings import PREFIX, Settings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "operate" / "operations.md"


def test_every_setting_says_what_it_is_for() -> None:
    for field in dataclasses.fields(Settings):
        assert field.metadata["help"].endswith(".") or ":" in field.metadata["help"], field.name


# What the first release knew. The page on going back names all others.
FIRST_RELEASE = """
    ALLOW_NONCOMMERCIAL AUDIO_STREAMS CACHE_ROOTS CORS_ORIGINS DEVICE EXPORT_ROOTS FACE_MODEL HOST
    INSTANCE LICENSE_KEYS LOG_FORMAT LOG_LEVEL MAX_BODY_MB MEDIA_ROOTS METRICS MODELS_DIR
    MODEL_IDLE_MINUTES MODEL_MEMORY_MB PATH_MAP PORT REDIS_URL SOCKET_AUTH SPEECH_MODEL STATE_DIR
    TRACES_ENDPOINT VISUAL_MODEL WATCH_EXTENSIONS WATCH_POLL_SECONDS WATCH_RESCAN_SECONDS WORKERS
"""


def test_going_back_names_the_settings_that_the_first_release_does_not_know() -> None:
    page = PAGE.read_text(encoding="utf-8")
    going_back = page.partition("- **Going back**")[2].partition("\n## ")[0]
    newer = {field.name.upper() for field in dataclasses.fields(Settings)} - set(
        FIRST_RELEASE.split()
    )
    assert [name for name in sorted(newer) if f"`{PREFIX}{name}`" not in going_back] == []
