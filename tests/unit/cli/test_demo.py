"""What the demo says when something is missing; that it works is shown by scripts/demo itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.api_client import ApiClient, ServerAway
from tests.support.stack import free_port


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_demo_without_samples_and_network_fails_with_a_sentence(tmp_path: Path) -> None:
    ended = run("cli.demo", str(tmp_path), PIP_NO_INDEX="1")

    assert ended.returncode == 1
    assert "MB to download" in ended.stdout
    assert ended.stderr.startswith("demo: pip could not download")
    assert "Check the network" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_server_that_is_not_there_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    client = ApiClient(url, "key")
    with pytest.raises(ServerAway, match=url):
        client.get("/tasks")
    client.close()
