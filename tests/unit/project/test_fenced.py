"""Nothing on a page goes unrun."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.system.fenced import Page


def page(tmp_path: Path, text: str) -> Page:
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    return Page.read(path)


def test_files_are_told_from_commands_which_keep_their_order(tmp_path: Path) -> None:
    text = "A\n```bash\none\n```\n```js\n// a.mjs\ncode\n```\nB\n```bash\ntwo\n```\n"
    found = page(tmp_path, text)
    assert found.files == {"a.mjs": "// a.mjs\ncode\n"}
    assert found.commands == ("one\n", "two\n")
    assert found.script().startswith("set -euo pipefail\n")


@pytest.mark.parametrize("block", ["```python\nprint()\n```\n", "```\n$ ls\n```\n"])
def test_a_program_without_a_name_is_refused(tmp_path: Path, block: str) -> None:
    with pytest.raises(AssertionError, match="no file name"):
        page(tmp_path, block)
