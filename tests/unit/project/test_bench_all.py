"""`scripts/bench all` gathers what benchmarks print."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import all as every


def test_a_section_is_replaced_when_its_benchmark_has_run_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: dict[str, str | None] = {"search": "## no head\nratio 0.4\n", "start": "ratio 0.6\n"}
    monkeypatch.setattr(every, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(every, "printed", lambda name: outputs[name])
    monkeypatch.setattr(sys, "argv", ["all", "start", "search"])
    every.main()
    text = every.RESULTS.read_text()
    assert list(every.sections(text)) == ["search", "start"]
    assert every.commit() in text
    outputs.update(search=None, start="ratio 0.5\n")
    with pytest.raises(SystemExit, match="search"):
        every.main()
    found = every.sections(every.RESULTS.read_text())
    assert "ratio 0.4" in found["search"]
    assert "ratio 0.5" in found["start"]


def test_an_unknown_benchmark_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["all", "serach"])
    with pytest.raises(SystemExit):
        every.main()
    assert "serach" in capsys.readouterr().err
