"""The scripts, as far as they go without downloading anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
_FILES = (path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix)
SCRIPTS = sorted([*_FILES, ROOT / ".ci" / "run"])


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What set-up reads, in a folder with a space in its path."""
    folder = tmp_path / "my clone"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def stub(folder: Path, name: str, body: str) -> Path:
    """A program of that name that does what `body` says."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def run(
    clone: Path, script: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("RUSHES_")}
    return subprocess.run(
        [clone / "scripts" / script, *arguments],
        cwd="/",
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_executable_strict_bash_without_syntax_errors(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert "\nset -euo pipefail\n" in script.read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize("script", ["setup", "serve", "test", "check", "demo", "docs"])
def test_a_wrong_python_is_one_sentence(clone: Path, script: str) -> None:
    result = run(clone, script, RUSHES_PYTHON="/bin/false")
    assert result.returncode != 0
    assert result.stderr == (
        "setup: RUSHES_PYTHON=/bin/false is no Python 3.11 to 3.13; name one that is.\n"
    )


def test_a_python_without_venv_says_which_package_is_missing(clone: Path, tmp_path: Path) -> None:
    # It has the right version, and lacks ensurepip, as Debian's python3 without python3-venv.
    python = stub(tmp_path / "bin", "python3", 'case "$2" in *ensurepip*) exit 1;; esac')
    result = run(clone, "setup", RUSHES_PYTHON=str(python))
    assert result.returncode == 1
    assert "sudo apt install python3-venv" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_full_disk_is_noticed_before_anything_is_downloaded(clone: Path, tmp_path: Path) -> None:
    python = stub(tmp_path / "bin", "python3", "exit 0")
    stub(tmp_path / "bin", "df", "echo header; echo '/dev/sda1 9 9 5120 99% /'")
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    result = run(clone, "setup", RUSHES_PYTHON=str(python), PATH=path)
    assert result.returncode == 1
    assert "5 MB free and about 1200 MB are needed" in result.stderr


def test_no_python_at_all_says_what_to_install(clone: Path, tmp_path: Path) -> None:
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        stub(tmp_path / "bin", name, "exit 1")
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    result = run(clone, "setup", PATH=path)
    assert result.returncode == 1
    assert "no Python 3.11 to 3.13 found" in result.stderr


def test_an_environment_that_is_used_again_is_named_with_its_python(
    clone: Path, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    stub(venv / "bin", "python", 'case "$1" in -V) echo Python 3.12.1;; esac')
    result = run(clone, "setup", "lite", RUSHES_VENV=str(venv))
    assert result.stderr.startswith(f"setup: using {venv} with Python 3.12.1\n")


@pytest.fixture
def ci_clone(clone: Path) -> Path:
    """A clone whose scripts only say how they are called, and make an environment."""
    shutil.copytree(ROOT / ".ci", clone / ".ci")
    running = Path("tests", "support", "running")
    (clone / running).mkdir(parents=True)
    for name in ("groups.py", "changed_groups.py"):
        shutil.copy(ROOT / running / name, clone / running)
    for script in ("test", "check"):
        body = f"""echo "{script} $*: ${{RUSHES_PYTHON:-any}} in $(basename "$RUSHES_VENV")"
mkdir -p "$RUSHES_VENV/bin"
ln -sf "${{RUSHES_PYTHON:-{sys.executable}}}" "$RUSHES_VENV/bin/python"
[ "$FAILING" != "{script} $*" ]
"""
        stub(clone / "scripts", script, body)
    return clone


def commit_all(clone: Path) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    (clone / ".gitignore").write_text(".rushes\n__pycache__\n")
    for words in (["init", "-q"], ["add", "--all"], [*identity, "commit", "-qm", "change"]):
        subprocess.run(["git", "-C", clone, *words], check=True)
    head = ["git", "-C", clone, "rev-parse", "HEAD"]
    return subprocess.run(head, capture_output=True, text=True, check=True).stdout


def test_ci_runs_steps_with_a_python_of_their_own_and_groups_whose_inputs_changed(
    ci_clone: Path,
) -> None:
    debian = Path("/usr/bin/python3")
    fits = "import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))"
    has_debian = debian.exists() and subprocess.run([debian, "-c", fits]).returncode == 0
    result = run(ci_clone, "../.ci/run")
    assert result.returncode == 0, result.stderr
    *lines, last = result.stdout.splitlines()
    assert lines == [
        f"test : {debian if has_debian else 'any'} in test",
        "check : any in check",
        "test studio: any in studio",
        "test quality soak releases generators: any in groups",
    ]
    for name in ("test", "check", "studio"):
        python = debian if has_debian and name == "test" else sys.executable
        version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
        assert f"{name} ({version.strip()}) 0:0" in last
    assert "all of it 0:0" in last
    assert "ci: soak runs: no run has passed here" in result.stderr


def test_ci_notes_the_commit_that_passed_and_compares_the_next_one_with_it(ci_clone: Path) -> None:
    passed = ci_clone / ".rushes" / "ci" / "passed"
    head = commit_all(ci_clone)
    assert run(ci_clone, "../.ci/run", FAILING="check ").returncode == 1
    assert run(ci_clone, "../.ci/run", head.strip()).returncode == 0
    assert not passed.exists(), "it failed, and then groups were compared with a base of its own"
    assert run(ci_clone, "../.ci/run").returncode == 0
    assert passed.read_text() == head
    (ci_clone / "docs" / "guides").mkdir(parents=True)
    (ci_clone / "docs" / "guides" / "clients.md").write_text("changed\n")
    result = run(ci_clone, "../.ci/run")
    assert "test generators: any in groups\n" in result.stdout
    assert passed.read_text() == head, "nothing is noted of a tree with changes"
    commit_all(ci_clone)
    result = run(ci_clone, "../.ci/run", RUSHES_CI_BASE="HEAD")
    assert result.stdout.count("\n") == 4, "no group: nothing has changed"


@pytest.mark.parametrize("failing", ["test ", "test quality soak releases generators"])
def test_ci_goes_on_after_a_step_that_fails_and_fails_itself(ci_clone: Path, failing: str) -> None:
    result = run(ci_clone, "../.ci/run", FAILING=failing)
    assert result.returncode == 1
    assert "check : any in check\ntest studio: any in studio\ntest quality" in result.stdout
    assert f"ci: FAILED: {'test' if failing == 'test ' else 'groups'}\n" in result.stdout


def test_ci_fails_above_45_minutes(ci_clone: Path) -> None:
    result = run(ci_clone, "../.ci/run", SECONDS="2701")  # its clock begins there
    assert result.returncode == 1
    assert "all of it 45:0" in result.stdout
    assert result.stdout.endswith("ci: FAILED: it takes more than 45 minutes\n")


@pytest.mark.parametrize(
    ("words", "groups", "others"),
    [
        ("", "", ""),
        ("tests/unit -k grid", "", "tests/unit -k grid"),
        ("tests", "", "tests"),
        ("quality soak -x", "quality,soak", "-x"),
        ("studio", "studio", ""),
        ("all tests/unit", "all", "tests/unit"),
    ],
)
def test_words_before_the_arguments_of_pytest_are_groups(
    clone: Path, tmp_path: Path, words: str, groups: str, others: str
) -> None:
    (clone / "tests").mkdir()
    stub(clone / "scripts", "setup", 'echo "$*"')
    stub(tmp_path / "venv" / "bin", "python", 'echo "$*"; exit 3')
    result = run(clone, "test", *words.split(), RUSHES_VENV=str(tmp_path / "venv"))
    extras = "lite test models samples tools clients"
    *lines, last = result.stdout.splitlines()
    assert lines == [
        f"{extras} studio" if groups in ("studio", "all") else extras,
        f"-m pytest -n auto --groups={groups} {others}".strip(),
    ]
    assert re.fullmatch(r"test: set-up 0:\d\d, tests 0:\d\d \(minutes:seconds\)", last)
    assert result.returncode == 3


def serving_clone(clone: Path, tmp_path: Path) -> None:
    """A clone whose set-up and server only say which models folder they are given."""
    (clone / "scripts" / "setup").write_text(
        '#!/bin/sh\necho "setup $*: ${RUSHES_MODELS_DIR:-unset}"\n', encoding="utf-8"
    )
    up = 'echo "up: ${RUSHES_MODELS_DIR:-unset}"'
    python = f'case "$*" in *cli.main*) {up};; *) exec {sys.executable} "$@";; esac'
    stub(tmp_path / "venv" / "bin", "python", python)


def test_serve_keeps_weights_where_the_rushes_command_looks(clone: Path, tmp_path: Path) -> None:
    serving_clone(clone, tmp_path)
    state = tmp_path / "state dir"
    settings = {"RUSHES_VENV": str(tmp_path / "venv"), "RUSHES_STATE_DIR": str(state)}
    result = run(clone, "serve", **settings)
    assert result.stdout.splitlines() == [
        "setup lite fast: unset",
        f"setup lite models: {state / 'models'}",
        "setup lite docs: unset",
        "up: unset",  # so it uses the same default
    ]
    assert Settings.from_env(settings).weights_dir == state / "models"
    assert state.stat().st_mode & 0o777 == 0o700  # keys and Redis will lie in it

    chosen = str(tmp_path / "weights")
    result = run(clone, "serve", **settings, RUSHES_MODELS_DIR=chosen)
    assert result.stdout.splitlines()[1:] == [
        f"setup lite models: {chosen}",
        f"setup lite docs: {chosen}",
        f"up: {chosen}",
    ]
    assert "serve: the docs site is not built" in result.stderr, "and the server runs without it"


def test_a_benchmark_runs_in_the_chosen_environment(clone: Path, tmp_path: Path) -> None:
    serving_clone(clone, tmp_path)
    stub(tmp_path / "venv" / "bin", "python", 'echo "chosen python $*"')
    result = run(clone, "bench", "x", "y", RUSHES_VENV=str(tmp_path / "venv"))
    assert result.stdout.splitlines() == [
        "setup lite test plots: unset",
        "chosen python -m benchmarks.x y",
    ]


LITE = ("conse-lite0", "whisper-base", "dlib-resnet", "resemblyzer")


def set_up_models(clone: Path, tmp_path: Path, weights: Path) -> subprocess.CompletedProcess[str]:
    venv = tmp_path / "venv"
    stub(venv / "bin", "python", "exit 0")  # of the right version; pip and all else succeed
    return run(
        clone, "setup", "lite", "models", RUSHES_VENV=str(venv), RUSHES_MODELS_DIR=str(weights)
    )


def weights_in_the_clone(clone: Path, *models: str) -> Path:
    for model in models:
        folder = clone / ".rushes" / "models" / model
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    return clone / ".rushes" / "models"


def test_weights_in_the_clone_are_taken_instead_of_downloaded(clone: Path, tmp_path: Path) -> None:
    fetched = weights_in_the_clone(clone, *LITE)
    weights = tmp_path / "state dir" / "models"
    for _ in range(2):
        result = set_up_models(clone, tmp_path, weights)
        assert result.returncode == 0, result.stderr
        assert "to download about" not in result.stderr.partition("model weights")[2]
    assert sorted(path.name for path in weights.iterdir()) == sorted(LITE)
    for model in LITE:
        ours = weights / model / "manifest.json"
        assert ours.samefile(fetched / model / "manifest.json")


@pytest.mark.parametrize(
    ("there", "announced"),
    [
        ((), "to download about 353 MB, to keep about 291 MB"),
        (("conse-lite0", "dlib-resnet"), "to download about 149 MB, to keep about 154 MB"),
        (("conse-lite0", "whisper-base"), "to download about 118 MB, to keep about 31 MB"),
        (("whisper-base", "dlib-resnet"), "to download about 118 MB, to keep about 118 MB"),
    ],
)
def test_only_missing_weights_are_announced(
    clone: Path, tmp_path: Path, there: tuple[str, ...], announced: str
) -> None:
    weights_in_the_clone(clone, *there)
    result = set_up_models(clone, tmp_path, tmp_path / "models")
    assert result.returncode == 0, result.stderr
    assert announced in result.stderr
