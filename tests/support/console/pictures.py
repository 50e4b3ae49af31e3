"""Pictures of pages, for the documentation: made only where TEST_PICTURES names a folder."""

from __future__ import annotations

import io
import os
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

_ALL_IN = """() => {
  const images = [...document.images].filter(({ complete }) => !complete);
  const video = document.querySelector('video:not(.gone)');
  return images.length === 0 && (!video || (video.readyState >= 2 && !video.seeking));
}"""
_PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Pictures:
    """Takes them by name, and knows which there were."""

    def __init__(self) -> None:
        named = os.environ.get("TEST_PICTURES")
        self.folder = Path(named) if named else None
        self.taken: list[str] = []

    def take(self, page: Page, name: str, *, dark: bool = False) -> None:
        """Write what `page` shows as NAME.webp, once all that it shows has come."""
        self.taken.append(f"{name}.webp")
        page.wait_for_function(_ALL_IN)
        if self.folder is None:
            return
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.evaluate(_PAINTED)
        with Image.open(io.BytesIO(page.screenshot(animations="disabled"))) as shot:
            shot.convert("RGB").save(self.folder / f"{name}.webp", quality=80, method=6)
        page.emulate_media(color_scheme="light")
