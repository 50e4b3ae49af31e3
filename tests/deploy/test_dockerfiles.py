"""The Dockerfiles: lint, and that they copy what there is. scripts/check-image executes them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.commands import parse
from tests.deploy.compose import PROJECT
from tests.image.build import ignored
from tests.image.dockerfile import Stage, assignments, read, words

API = PROJECT / "deploy" / "api.Dockerfile"
WORKER = PROJECT / "deploy" / "worker.Dockerfile"
IMAGES = [(API, "api"), (WORKER, "cpu"), (WORKER, "cuda")]


def chain(file: Path, target: str) -> list[Stage]:
    """The stages that a target is made of, the first one first; without what it copies from."""
    stages = read(file)
    found = [stages[target]]
    while found[0].base in stages:
        found.insert(0, stages[found[0].base])
    return found


def rests(file: Path, target: str, word: str) -> list[str]:
    return [i.rest for s in chain(file, target) for i in s.instructions if i.word == word]


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--config", PROJECT / "deploy/hadolint.yaml", API, WORKER],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("file", "target"), IMAGES)
def test_images_come_from_debian_run_as_a_user_and_check_their_health(
    file: Path, target: str
) -> None:
    assert chain(file, target)[0].base == "debian:trixie-slim"
    assert rests(file, target, "USER")[-1] == "${UID}:${GID}"
    assert words(rests(file, target, "ENTRYPOINT")[-1]) == ["rushes"]
    parse(words(rests(file, target, "CMD")[-1]))
    assert words(rests(file, target, "HEALTHCHECK")[-1].partition("CMD ")[2])[0] == "python"
    installed = " ".join(rests(file, target, "RUN"))
    assert "venv" not in installed, "what builds is left behind in another stage"


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_what_the_hubs_library_writes_lies_in_the_volume_of_the_weights(target: str) -> None:
    [env] = [
        found for rest in rests(WORKER, target, "ENV") if "HF_HOME" in (found := assignments(rest))
    ]
    assert Path(env["HF_HOME"]).is_relative_to(env["RUSHES_MODELS_DIR"])


@pytest.mark.parametrize("file", [API, WORKER])
def test_what_is_copied_is_there_and_not_left_out(file: Path) -> None:
    copied = set()
    for stage in read(file).values():
        for instruction in stage.instructions:
            if instruction.word == "COPY" and not instruction.rest.startswith("--from"):
                copied |= set(instruction.rest.split()[:-1])
    for name in copied:
        assert (PROJECT / name).exists(), name
        assert not ignored(name), name
    packages = {"api", "cli", "shared"} | ({"workers"} if file == WORKER else set())
    assert packages <= copied


def test_the_context_holds_no_secrets_and_no_leftovers() -> None:
    for name in (".env", ".git", ".rushes", ".venv", "tests", "api/__pycache__/x.pyc", "docs"):
        assert ignored(name), name
    for name in ("api/app.py", "workers/models/load.py", "pyproject.toml"):
        assert not ignored(name), name


def test_what_is_installed_comes_before_the_code() -> None:
    """Else each change of the code installs everything anew."""
    for file, target in ((API, "build"), (WORKER, "build-cpu")):
        steps = [i for s in chain(file, target) for i in s.instructions]
        installs = next(n for n, i in enumerate(steps) if "pip install" in i.rest)
        code = next(n for n, i in enumerate(steps) if i.word == "COPY" and " ./shared" in i.rest)
        assert installs < code, file.name


def test_the_constraints_of_the_images_fit_the_ranges_of_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = (PROJECT / "deploy/constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    wanted = [*project["dependencies"]]
    for extra in ("worker", "lite", "traces"):
        wanted += [word for word in extras[extra] if not word.startswith("rushes[")]
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        pin = next((pins[key] for key in pins if canonicalize_name(key) == name), None)
        assert pin, f"{name} is missing in deploy/constraints.txt: see the comment in it"
        assert requirement.specifier.contains(pin), f"{requirement}: the images have {pin}"
