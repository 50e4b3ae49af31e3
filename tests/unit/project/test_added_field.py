"""An optional field is added as docs/contributing.md says: once, and everything has it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "contributing.md"
_TYPES = """
import { readFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";
console.log(astToString(await openapiTS(JSON.parse(readFileSync(process.argv[1], "utf8")))));
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources in which the field of the page is added to its body."""
    copy = tmp_path_factory.mktemp("sources")
    for package in ("api", "cli", "shared"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, copy / package, ignore=ignored)
    section = PAGE.read_text(encoding="utf-8").partition("### Add an optional field")[2]
    found = re.search(r"`([\w/]+\.py)`, in `(class \w+)`.*?```python\n(.*?)```", section, re.S)
    assert found
    path, field = copy / found[1], dedent(found[3])
    before, head, after = path.read_text(encoding="utf-8").partition(f"{found[2]}(")
    lines, _, rest = after.partition("\n\n\n")
    field = indent(field.rstrip(), "    ")
    path.write_text(f"{before}{head}{lines}\n{field}\n\n\n{rest}", encoding="utf-8")
    return copy


def _python(sources: Path, *arguments: str) -> str:
    """What a real interpreter prints: one that was forked would have imported our own sources."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PYTHONPATH": str(sources), "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=sources, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_the_document_and_the_types_of_the_console_have_it(changed: Path) -> None:
    document = changed / "openapi.json"
    _python(changed, "-m", "api.docs.write_openapi", str(document))
    text = document.read_text(encoding="utf-8")
    assert '"portrait": {' in text
    assert "Only frames that are higher than wide. Default: `false`." in text
    console = ROOT / "console"
    if shutil.which("node") and (console / "node_modules" / "openapi-typescript").is_dir():
        program = ["node", "--input-type=module", "-e", _TYPES, str(document)]
        types = subprocess.run(program, cwd=console, capture_output=True, text=True, check=True)
        assert "portrait?: boolean | null;" in types.stdout


def test_a_body_is_read_with_it(changed: Path) -> None:
    program = """
        import msgspec
        from api.http.body_reading import decoded_type
        from api.search.bodies import SearchTextBody
        read = msgspec.json.Decoder(decoded_type(SearchTextBody)).decode
        body = b'{"query": "a beach", "cache_dir": "/c", "portrait": true}'
        print(read(body).portrait, read(body.replace(b"true", b"null")).portrait)
    """
    assert _python(changed, "-c", dedent(program)) == "True False\n"


def test_the_command_line_offers_it(changed: Path) -> None:
    told = _python(changed, "-m", "cli.main", "search", "--help")
    assert re.search(r"--portrait .*Only frames that are higher than wide\.", told)
