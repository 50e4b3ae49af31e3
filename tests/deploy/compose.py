"""docker-compose.yml as Debian's docker-compose resolves it, which needs no engine for that."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

PASSWORD = "5ec2e7"
PROJECT = Path(__file__).resolve().parents[2]


def compose(
    *arguments: str, env_file: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs it on the project's file; .env.example and a password stand for the user's .env."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    environment |= {"REDIS_PASSWORD": PASSWORD, **more}
    env_file = env_file or PROJECT / ".env.example"
    command = ["docker-compose", "--project-directory", str(PROJECT), "--env-file", str(env_file)]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, env=environment, timeout=30
    )


def resolved(
    *options: str,
    files: tuple[str, ...] = ("docker-compose.yml",),
    env_file: Path | None = None,
    **more: str,
) -> dict[str, Any]:
    """The project; `options` such as `--profile gpu`. Fails with what docker-compose says."""
    env_text = (env_file or PROJECT / ".env.example").read_text(encoding="utf-8")
    return dict(json.loads(_resolved(files, options, env_text, tuple(more.items()))))


@functools.cache
def _resolved(
    files: tuple[str, ...],
    options: tuple[str, ...],
    env_text: str,
    more: tuple[tuple[str, str], ...],
) -> str:
    """Return the project as JSON. `env_text`: the content of .env."""
    named = [word for name in files for word in ("--file", str(PROJECT / name))]
    words = (*named, *options, "config", "--format", "json")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as env_file:
        env_file.write(env_text)
        env_file.flush()
        done = compose(*words, env_file=Path(env_file.name), **dict(more))
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # it warns of variables that are not set
    return done.stdout
