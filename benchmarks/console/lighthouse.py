"""Lighthouse, of a page that somebody is signed in to; npm installs it for this benchmark alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.support.stack import PROJECT

VERSION = "12.2.3"  # the last one for Node.js 20
PRESETS = ("mobile", "desktop")
_FOLDER = PROJECT / ".rushes" / "lighthouse"
_FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage"
_TIMES = (
    "first-contentful-paint",
    "largest-contentful-paint",
    "total-blocking-time",
    "cumulative-layout-shift",
)


def install() -> None:
    """Into .rushes/lighthouse, 110 MB, where that version is not there yet."""
    package = _FOLDER / "node_modules" / "lighthouse" / "package.json"
    if package.exists() and json.loads(package.read_text())["version"] == VERSION:
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    command = ["npm", "install", "--save-exact", *quiet, f"lighthouse@{VERSION}"]
    subprocess.run(command, cwd=_FOLDER, check=True, stdout=subprocess.DEVNULL)


def lighthouse(url: str, cookie: str, preset: str) -> str:
    """One line: points of 100, and the times they come from. `cookie`: of the session."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "report.json"
        subprocess.run(
            [
                *("node", str(_FOLDER / "node_modules" / "lighthouse" / "cli" / "index.js")),
                *(url, "--quiet", "--output=json", f"--output-path={written}"),
                "--only-categories=performance,accessibility",
                f"--chrome-flags={_FLAGS}",
                f"--extra-headers={json.dumps({'Cookie': cookie})}",
                *(["--preset=desktop"] if preset == "desktop" else []),
            ],
            check=True,
            env={**os.environ, "CHROME_PATH": shutil.which("chromium") or ""},
            timeout=180,
        )
        return _summary(json.loads(written.read_text(encoding="utf-8")))


def _summary(report: dict[str, Any]) -> str:
    points = [f"{name} {100 * one['score']:.0f}" for name, one in report["categories"].items()]
    audits = report["audits"]
    times = [f"{name} {audits[name]['displayValue']}".replace("\xa0", " ") for name in _TIMES]
    return ", ".join([*points, *times])
