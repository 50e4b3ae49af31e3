"""Configuration of the docs site, which `scripts/docs` builds with Sphinx."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

project = "Rushes"
html_title = "Rushes"
extensions = ["myst_parser"]
exclude_patterns = ["requirements.txt"]
root_doc = "index"
myst_heading_anchors = 4  # headings have the anchors that code forges give them
suppress_warnings = ["misc.highlighting_failure"]  # JSON with "…" is an example, too
smartquotes = False  # they change what is written in code and types
html_theme = "furo"
html_theme_options = {"top_of_page_buttons": []}
html_static_path: list[str] = []
html_copy_source = False
html_show_copyright = False
html_use_index = False

# The server's Content-Security-Policy allows no scripts and styles inside a page.
_MOVED = {
    re.compile(r"<style>(.*?)</style>", re.DOTALL): (
        "variables.css",
        '<link rel="stylesheet" href="{}" />',
    ),
    re.compile(r"<script>(.*?)</script>", re.DOTALL): ("theme.js", '<script src="{}"></script>'),
}
_ATTRIBUTES = {
    'style="display: none;"': 'display="none"',
    'style="opacity: 50%"': 'opacity="0.5"',
}
_INLINE = re.compile(r"<style|<script(?![^>]* src=)|<[^>]* (?:style|on[a-z]+)=\"")


def setup(app: Any) -> None:
    """Register the step after the build."""
    app.connect("build-finished", _move_inline_parts)


def _move_inline_parts(app: Any, error: Exception | None) -> None:
    """Move scripts and styles of pages into files. Raises ValueError for those of a new kind."""
    if error is not None:
        return
    out = Path(app.outdir)
    for page in out.rglob("*.html"):
        text = before = page.read_text(encoding="utf-8")
        static = "../" * len(page.relative_to(out).parts[1:]) + "_static"
        for pattern, (name, link) in _MOVED.items():
            for content in pattern.findall(text):
                (out / "_static" / name).write_text(content, encoding="utf-8")
            text = pattern.sub(link.format(f"{static}/{name}"), text)
        for attribute, replacement in _ATTRIBUTES.items():
            text = text.replace(attribute, replacement)
        if found := _INLINE.search(text):
            raise ValueError(f"{page}: the server's policy forbids {text[found.start() :][:80]!r}")
        if text != before:
            page.write_text(text, encoding="utf-8")
