"""The OpenAPI document passes every rule that Redocly recommends, and some more."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import PROJECT
from tests.support.system.generators import FILES, node_folder

DOCS = PROJECT / "docs" / "api"


def problems(folder: Path, document: dict[str, Any]) -> list[str]:
    """What Redocly says about the document, by our rules."""
    for rules in ("redocly.yaml", ".redocly.lint-ignore.yaml"):
        shutil.copy(DOCS / rules, folder)
    shutil.copy(FILES / "lint.mjs", node_folder(folder))
    (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    result = subprocess.run(
        ["node", "lint.mjs", "redocly.yaml", "openapi.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode in (0, 1), result.stderr
    assert not result.stderr, result.stderr
    return result.stdout.splitlines()


@pytest.fixture
def committed() -> dict[str, Any]:
    """The document; another test says that it is the one that is served."""
    return dict(json.loads((DOCS / "openapi.json").read_text(encoding="utf-8")))


def test_the_document_has_no_error_and_no_warning(
    committed: dict[str, Any], tmp_path: Path
) -> None:
    assert problems(tmp_path, committed) == []


@pytest.mark.generators
def test_the_rules_notice_what_is_wrong(committed: dict[str, Any], tmp_path: Path) -> None:
    text_search = committed["paths"]["/search/text"]["post"]
    del text_search["summary"]
    text_search["operationId"] = "analyze"
    text_search["responses"]["200"]["content"]["application/json"]["example"] = {"matches": 5}
    committed["components"]["schemas"]["Nobody"] = {"type": "object"}
    committed["paths"]["/tasks"]["get"]["responses"] = {"200": {"$ref": "#/nowhere"}}
    found = {line.split()[1] for line in problems(tmp_path, committed)}
    assert found >= {
        "operation-summary",
        "operation-operationId-unique",
        "no-invalid-media-type-examples",
        "no-unused-components",
        "no-unresolved-refs",
    }
