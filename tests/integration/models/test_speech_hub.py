"""Models of the hub, fetched from a small server that speaks the hub's protocol."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shared.domain import ModelKind
from shared.models.model_catalogue import is_downloaded, resolve
from shared.settings import Settings
from tests.support.lite_models import lite_weights
from workers.models.load import load_speech

REPOSITORY, KEY = "someone/whisper-of-mine", "someone--whisper-of-mine"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(eq=False)
class Hub:
    """One repository with the files of a folder. Counts whole downloads of model.bin."""

    folder: Path
    broken: set[str] = field(default_factory=set)  # files that it answers with an error
    sent: list[str] = field(default_factory=list)
    url: str = ""

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name != "manifest.json")

    def size(self, name: str) -> int:
        return (self.folder / name).stat().st_size

    @functools.cache  # noqa: B019 - one hub a test
    def etag(self, name: str) -> str:
        return hashlib.sha256((self.folder / name).read_bytes()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: object) -> None: ...

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        hub, path = self.hub, self.path.partition("?")[0]
        name = path.rpartition("/")[2]
        if path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            tree = [
                {"type": "file", "path": each, "oid": hub.etag(each)[:40], "size": hub.size(each)}
                for each in hub.names()
            ]
            self._send(json.dumps(tree).encode())
        elif path.startswith(f"/api/models/{REPOSITORY}"):
            files = [{"rfilename": each} for each in hub.names()]
            self._send(json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": files}).encode())
        elif path == f"/{REPOSITORY}/resolve/{COMMIT}/{name}" and name not in hub.broken:
            self._send((hub.folder / name).read_bytes() if with_body else b"", name)
            if with_body:
                hub.sent.append(name)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _send(self, body: bytes, name: str = "") -> None:
        self.send_response(200)
        size = self.hub.size(name) if name else len(body)
        self.send_header("Content-Length", str(size))
        if name:
            self.send_header("ETag", f'"{self.hub.etag(name)}"')
            self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[Hub]:
    settings, spec = lite_weights("whisper-base")
    hub = Hub(settings.weights_dir / spec.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


def pull(models: Path, url: str, key: str = REPOSITORY) -> tuple[int, str, str]:
    result = subprocess.run(
        [sys.executable, "-m", "workers.models", "pull", key],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={
            **os.environ,
            **{"RUSHES_MODELS_DIR": str(models), "HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1"},
            **{"HF_HOME": str(models / "home"), "RUSHES_DEVICE": "cpu"},
        },
    )
    return result.returncode, result.stdout, result.stderr


def test_a_model_of_the_hub_is_fetched_once_and_needs_no_hub_afterwards(
    hub: Hub, tmp_path: Path
) -> None:
    settings = Settings.from_env({"RUSHES_MODELS_DIR": str(tmp_path), "RUSHES_DEVICE": "cpu"})
    spec = resolve(settings, ModelKind.SPEECH, REPOSITORY)
    assert not is_downloaded(settings, spec)

    hub.broken = {"tokenizer.json"}  # the try that is interrupted
    code, _, err = pull(tmp_path, hub.url)
    assert (code, len(err.splitlines())) == (1, 1), err
    assert not is_downloaded(settings, spec)

    killed = tmp_path / "hub" / "models--someone--whisper-of-mine" / "blobs" / "a.b.incomplete"
    killed.write_bytes(b"of a process that was killed")
    hub.broken = set()
    code, out, err = pull(tmp_path, hub.url)
    assert (code, err) == (0, ""), err
    assert not killed.exists()
    size = f"{sum(map(hub.size, hub.names())) / 1e6:.0f}"
    far = [line for line in out.splitlines() if line.startswith(f"{KEY}: ")]
    assert far == [f"{KEY}: {size} MB"], "what the first try has fetched counts"
    lines = [line for line in out.splitlines() if line not in far]
    assert lines == [
        f"to download: {KEY}, of unknown size, from Hugging Face hub: {REPOSITORY}",
        f"downloading {REPOSITORY} from the Hugging Face hub",
        f"{KEY} is ready",
    ]
    assert hub.sent.count("model.bin") == 1
    assert is_downloaded(settings, spec)
    assert pull(tmp_path, "http://127.0.0.1:9")[:2] == (0, f"{KEY} is ready in {tmp_path}\n")

    moved = tmp_path.with_name("moved")
    tmp_path.rename(moved)
    elsewhere = Settings.from_env({"RUSHES_MODELS_DIR": str(moved), "RUSHES_DEVICE": "cpu"})
    assert "de" in load_speech(elsewhere, spec).languages


def test_what_turns_out_to_be_no_model_is_not_kept(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "of the hub"
    shutil.copytree(hub.folder, folder)
    (folder / "model.bin").write_bytes(b"something else" * 1000)
    hub.folder = folder
    models = tmp_path / "models"
    code, _, err = pull(models, hub.url)
    assert (code, hub.sent.count("model.bin")) == (1, 1), err
    assert "cannot be loaded" in err
    assert not list((models / "hub").glob("models--*"))


@pytest.mark.parametrize("key", ["someone/else", "large-v3"])
def test_without_the_hub_or_the_repository_one_sentence_says_where_files_go(
    hub: Hub, tmp_path: Path, key: str
) -> None:
    for url in (hub.url, "http://127.0.0.1:9"):
        code, _, err = pull(tmp_path, url, key)
        assert (code, len(err.splitlines())) == (1, 1), err
        assert "cannot be fetched from the Hugging Face hub: " in err
        assert ". Check the name and the network, or put" in err
        assert f"{tmp_path}/whisper/" in err
        assert not list((tmp_path / "hub").glob("*.json"))
