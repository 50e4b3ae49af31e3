"""Runs benchmarks one after the other and gathers what they print into benchmarks/RESULTS.md.

    scripts/bench all [NAME ...]

Without names all of them, which takes hours. A section of RESULTS.md is replaced when its benchmark
has run to its end; it says the machine, the day and the commit.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import describe

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
_NONE = {"__init__", "all", "soak", "analysis.__init__"}  # scripts/soak runs that one
_SECTION = re.compile(r"^## ([\w.]+)$", re.MULTILINE)
_HEAD = """# Results

What `scripts/bench all` has gathered; what the figures mean is in [README.md](README.md).
"""


def names() -> list[str]:
    """Names of all benchmarks."""
    packages = {path.parent.name for path in HERE.glob("*/__main__.py")}
    files = [*HERE.glob("*.py"), *HERE.glob("analysis/*.py")]
    modules = {".".join(path.relative_to(HERE).with_suffix("").parts) for path in files}
    return sorted((packages | modules) - _NONE)


def printed(name: str) -> str | None:
    """What a benchmark prints, shown meanwhile; None where it fails."""
    lines = []
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return "".join(lines) if process.returncode == 0 else None


def sections(text: str) -> dict[str, str]:
    """The sections of a RESULTS.md by the name of their benchmark."""
    _, *parts = _SECTION.split(text)
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))


def section(machine: str, commit: str, output: str) -> str:
    day = time.strftime("%Y-%m-%d")
    return f"{day}, commit {commit}, {machine}\n\n```\n{output.rstrip()}\n```"


def commit() -> str:
    """The commit that is measured, marked where the tree differs from it."""
    described = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(
        described, cwd=HERE, check=True, capture_output=True, text=True
    ).stdout.strip()


def write(found: dict[str, str]) -> None:
    """Replace RESULTS.md as a whole."""
    text = _HEAD + "".join(f"\n## {name}\n\n{found[name]}\n" for name in sorted(found))
    temporary = RESULTS.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, RESULTS)


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    given = asked.parse_args()
    if unknown := set(given.names) - set(names()):
        asked.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    measured, failed = commit(), []
    for name in given.names or names():
        machine = describe()
        print(f"== {name}", flush=True)
        output = printed(name)
        if output is None:
            failed.append(name)
            continue
        known = sections(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        write({**known, name: section(machine, measured, output)})
    if failed:
        sys.exit(f"failed, and not in {RESULTS.name}: {', '.join(failed)}")


if __name__ == "__main__":
    main()
