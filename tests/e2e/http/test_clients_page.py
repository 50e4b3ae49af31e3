"""docs/guides/clients.md: every program and command on it runs, and does what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.media.faces_film import film_of
from tests.support.media.media import make_still
from tests.support.media.sounds import SoundEncoding, write_sounds
from tests.support.media.speech import RATE, spoken
from tests.support.openapi_agreement import served
from tests.support.stack import KEY, PROJECT, Stack
from tests.support.system.fenced import Page
from tests.support.system.generators import generators_path, node_folder, ran, search_path
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(300)  # the first waits until all of the page has run
PAGE, GENERATED = map(
    Page.parse,
    (PROJECT / "docs" / "guides" / "clients.md")
    .read_text(encoding="utf-8")
    .split("\n## Generated clients\n"),
)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    """What the page speaks of."""
    folder = tmp_path_factory.mktemp("footage")
    make_still(folder / "coffee.png", photos["coffee"])
    said = spoken("We are rolling on the third take.")
    frames = [n / 5 for n in range(int(said.seconds * 5))]
    encoding = SoundEncoding(pictures_at=frames)
    write_sounds(folder / "interview.mov", [said.pcm], rate=RATE, encoding=encoding)
    film_of(folder / "party.mp4", [("red", 7), ("hair", 6)])
    return folder


@pytest.fixture(scope="module")
def exporting(stack: Stack) -> Iterator[Stack]:
    """The stack with an export worker."""
    stack.start_worker("export")
    wait_for(
        lambda: "export" in stack.client().get("/ready").json()["workers"], 30, "an export worker"
    )
    yield stack
    assert stack.processes.pop("export-0").end() == 0


@pytest.fixture(scope="module")
def desk(
    exporting: Stack, footage: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The folder in which the page has run, up to generated clients, and what was printed."""
    folder = node_folder(tmp_path_factory.mktemp("desk"))
    return folder, run_page(PAGE, folder, search_path(), exporting, footage)


def run_page(page: Page, folder: Path, path: str, stack: Stack, footage: Path) -> str:
    """Run every command of the page in the folder; returns what they print."""
    page.write(folder)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")},
        "PATH": path,
        "API": f"{stack.client().url}/api/v1",
        "KEY": KEY,
        "FOOTAGE": str(footage),
        "npm_config_offline": "true",  # what is not installed is missing, not fetched
    }
    result = subprocess.run(
        ["bash", "-c", page.script()],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout


def test_the_script_finds_what_is_seen_and_what_is_said(
    desk: tuple[Path, str], footage: Path
) -> None:
    folder, printed = desk
    assert '{"status":"ok"}' in printed
    failed = [{"media_path": f"{footage}/gone.mp4", "error": "The file does not exist."}]
    assert f"{failed}\n" in printed
    assert f"seen: {footage}/coffee.png 00:00:00" in printed
    with Image.open(folder / "best.jpg") as picture:
        assert picture.width > 100
    assert re.search(r'"matches":\[\{"media_path":"[^"]*interview.mov"', printed)
    subtitles = (folder / "interview.srt").read_text()
    assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n.*third take", subtitles)
    assert (footage / "exports" / "Toast.mp4").exists()
    assert re.search(r"completed 100\.0 %", printed), "the end came over Socket.IO too"


def test_the_mam_is_told_what_became_of_every_file(desk: tuple[Path, str], footage: Path) -> None:
    printed = desk[1]
    for name in ("interview.mov", "party.mp4", "coffee.png"):
        assert re.search(rf"{footage}/{name}: [0-9a-f]{{16}} done", printed), printed
        assert f"{footage}/{name}: embeddings in {footage}/.rushes/" in printed
    assert "/nowhere/gone.mov: not analyzed: The file does not exist." in printed


def test_the_panel_shows_people_and_hands_over_a_timeline(
    desk: tuple[Path, str], footage: Path
) -> None:
    folder, printed = desk
    assert "access-control-allow-origin: null" in printed.lower()
    assert re.search(r"completed 100\n", printed)
    assert "people: 2 faces of the first: 2" in printed
    assert f"best: {footage}/coffee.png" in printed
    # Node puts a long path into a line of its own.
    assert re.search(rf"with Ada: Set\(1\) {{\s+'{footage}/party.mp4'\s+}}", printed)
    assert re.search(r"thumbnails: [1-9]", printed)
    assert re.search(r"similar: [1-5]\n", printed)
    assert re.search(r"a piece of \d+ with video/mp4; codecs=\S+( \S+)? true", printed)
    assert "warnings: 0" in printed
    timeline = (folder / "selects.xml").read_text()
    assert re.search(r"<pathurl>file://localhost/Z(:|%3a)/footage/party.mp4<", timeline)


def lists_of_choices(models: Path) -> list[list[str]]:
    """The lists of values of the enums that the generator in Python has made, each once."""
    modules = [path.read_text() for path in models.glob("*.py")]
    enums = [text for text in modules if "Enum):" in text]
    found = {tuple(sorted(re.findall(r'^    [A-Z0-9_]+ = "(.+)"$', text, re.M))) for text in enums}
    return sorted(map(list, found))


def documented_lists() -> list[list[str]]:
    """Each list of choices of the document, once."""
    found: set[tuple[str, ...]] = set()
    waiting: list[Any] = [served()]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
            if isinstance(part.get("enum"), list):
                found.add(tuple(sorted(value for value in part["enum"] if value is not None)))
    return sorted(list(values) for values in found - {()})


@pytest.mark.generators
def test_generated_clients_compile_and_work(stack: Stack, footage: Path, tmp_path: Path) -> None:
    folder = node_folder(tmp_path)
    printed = run_page(GENERATED, folder, generators_path(folder / "bin"), stack, footage)
    for language in ("typescript", "python"):
        assert f"{language}: completed\n" in printed
        assert f"{language}: {footage}/coffee.png 00:00:00\n" in printed
    types = (folder / "rushes-api.d.ts").read_text()
    models = (folder / "rushes_client" / "models" / "__init__.py").read_text()
    for name in ("TaskProgress", "WatchProgress", "TasksChanged", "Joined"):
        assert f"        {name}: {{" in types
        assert f" import {name}\n" in models
    assert lists_of_choices(folder / "rushes_client" / "models") == documented_lists()
    ran([sys.executable, "-m", "compileall", "-q", "rushes_client"], folder)
    # Of what was generated only the types: it names variables twice.
    options = ["--strict", "--follow-imports=silent", "--cache-dir=.mypy", "--config-file="]
    ran([sys.executable, "-m", "mypy", *options, "generated.py"], folder)
