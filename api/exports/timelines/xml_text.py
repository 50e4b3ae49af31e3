"""An XML document as text."""

from __future__ import annotations

from typing import Any

from lxml import etree


def xml_text(root: Any) -> str:
    """Indented, with its declaration and a DOCTYPE that names the root only."""
    inner = etree.tostring(
        root, pretty_print=True, encoding="unicode", doctype=f"<!DOCTYPE {root.tag}>"
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{inner}'
