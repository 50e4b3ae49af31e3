"""Nothing on a page goes unrun."""

from __future__ import annotations

import pytest

from tests.support.system.fenced import Page


def test_files_are_told_from_commands_which_keep_their_order() -> None:
    text = "A\n```bash\none\n```\n```js\n// a.mjs\ncode\n```\nB\n```bash\ntwo\n```\n"
    found = Page.parse(text)
    assert found.files == {"a.mjs": "// a.mjs\ncode\n"}
    assert found.commands == ("one\n", "two\n")
    assert found.script().startswith("set -euo pipefail\n")


def test_examples_are_not_run() -> None:
    text = "```bash\none\n```\n```bash example\ntwo\n```\n```bash\nthree\n```\n"
    assert Page.parse(text).commands == ("one\n", "three\n")


@pytest.mark.parametrize("block", ["```python\nprint()\n```\n", "```\n$ ls\n```\n"])
def test_a_program_without_a_name_is_refused(block: str) -> None:
    with pytest.raises(AssertionError, match="no file name"):
        Page.parse(block)
