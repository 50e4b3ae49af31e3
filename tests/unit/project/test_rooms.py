"""docs/explain/architecture.md says of features of the API what their import contract says."""

from __future__ import annotations

import re
import tomllib

from tests.support.stack import PROJECT

_CONTRACT = "features of the API know each other only so far"
_ROW = re.compile(r"^\| (?P<feature>[a-z_]+|every feature) \| (?P<others>.*) \|$", re.MULTILINE)


def test_the_table_of_features_says_what_the_contract_allows() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    [contract] = [one for one in contracts if one["name"] == _CONTRACT]
    assert not any("allow_indirect_imports" in one for one in contracts)
    allowed = set()
    for line in contract["ignore_imports"]:
        importer, imported = (name.split(".")[1] for name in line.split(" -> "))
        if imported != "app":
            allowed.add(("every feature" if importer == "**" else importer, imported))
    page = (PROJECT / "docs" / "explain" / "architecture.md").read_text()
    table = page.partition("| Feature | may import |")[2].partition("\n\n")[0]
    told = {
        (row["feature"], name)
        for row in _ROW.finditer(table)
        for name in re.findall(r"`([a-z]+)`", row["others"])
    }
    assert told - allowed == set()
    assert allowed - told == set()
