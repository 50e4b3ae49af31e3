"""Record golden data of a commit: `python -m tests.support.golden.record COMMIT [NAME]`.

Checks the commit out, runs its server on small media, does what people do, asks a list of
questions, and packs the cache folder, STATE_DIR, Redis and the answers into
tests/e2e/upgrades/data/NAME.tar.xz. It uses the packages of this environment and the lite models.
The media are made once: later recordings take those of media.tar.xz.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import redis

from tests.support.golden import archives
from tests.support.golden.archives import CACHE, CLIENT_ROOT, MEDIA, STATE, Json, shorten
from tests.support.golden.material import make_media
from tests.support.private_redis import private_redis
from tests.support.stack import KEY, PROJECT, free_port, models_dir
from tests.support.waiting import wait_for

DATA = PROJECT / "tests" / "e2e" / "upgrades" / "data"
MEDIA_ARCHIVE = DATA / "media.tar.xz"
PEOPLE = "Season 1"
_KINDS = ("query", "analysis", "recluster")
_EXPIRES_IN_S = 19 * 365 * 86_400
_READY_S, _ANALYZED_S = 60, 300
_IN_STATE = ("*.json", "*.jsonl", "search", "transcripts", "facts", "calibrations")
_LABELS = (
    "a cat", "a kitten", "a pet", "an animal", "a tabby", "whiskers", "fur", "a cup", "coffee",
    "espresso", "a saucer", "a spoon", "a drink", "a rocket", "a launch", "a spacecraft", "fire",
    "smoke", "the night sky", "a launch pad", "a missile", "breakfast",
)  # fmt: skip


class Server:
    """The processes of a commit, and a client of them that names files below CLIENT_ROOT."""

    def __init__(self, tree: Path, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self._tree = tree
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._port = free_port()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RUSHES_")}
        self._environment = {
            **inherited,
            "PYTHONPATH": str(tree),
            "RUSHES_REDIS_URL": redis_url,
            "RUSHES_STATE_DIR": str(folder / STATE),
            "RUSHES_MODELS_DIR": str(models_dir()),
            "RUSHES_PATH_MAP": f"{CLIENT_ROOT}={folder}",
            "RUSHES_LICENSE_KEYS": KEY,
            "RUSHES_PORT": str(self._port),
        }
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self._port}/api/v1",
            headers={"X-License-Key": KEY},
            timeout=60,
        )

    def start(self) -> None:
        if (self._tree / "shared" / "webhooks").is_dir():
            self._environment["RUSHES_WEBHOOK_HOSTS"] = "mam.example"
        for kind in _KINDS:
            self._start(kind, "workers", kind)
        self._start("api", "api")
        wait_for(self._is_ready, _READY_S, "the server", every_s=0.2)
        paths: Json = self.http.get("/openapi.json").json()["paths"]
        self.endpoints = set(paths)

    def _start(self, name: str, *module: str) -> None:
        command = [sys.executable, "-P", "-m", *module]
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command, cwd=self._tree, env=self._environment, stdout=log, stderr=log
            )

    def _is_ready(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, (self.folder / f"{name}.log").read_text()
        with contextlib.suppress(httpx.TransportError):
            ready = self.http.get("/ready").json()
            return bool(ready.get("workers", {}).get("analysis")) and not ready.get("loading")
        return False

    def stop(self, *names: str) -> None:
        for name in names or list(self._processes):
            process = self._processes.pop(name)
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def has(self, path: str) -> bool:
        return path in self.endpoints

    def ask(self, method: str, path: str, **more: Any) -> Json:
        """Send a request that must succeed."""
        answer = self.http.request(method, path, **more)
        assert answer.is_success, f"{method} {path} {more}: {answer.status_code} {answer.text}"
        return dict(answer.json())

    def run_command(self, *words: str) -> str:
        """Run `rushes` of the commit."""
        command = [sys.executable, "-P", "-m", "cli.main", *words]
        done = subprocess.run(
            command, cwd=self._tree, env=self._environment, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def wait_for_task(self, task_id: str) -> None:
        def is_final() -> bool:
            state = self.ask("GET", f"/tasks/{task_id}")
            assert state["status"] not in ("failed", "cancelled"), state
            return bool(state["status"] == "completed")

        wait_for(is_final, _ANALYZED_S, "the analysis", every_s=0.2)


def main() -> None:
    commit, name = sys.argv[1], sys.argv[-1]
    with tempfile.TemporaryDirectory(prefix="rushes-golden-") as place, private_redis() as running:
        folder = Path(place).resolve() / "data"
        for part in (MEDIA, CACHE, STATE):
            (folder / part).mkdir(parents=True)
        if not MEDIA_ARCHIVE.exists():
            make_media(folder / MEDIA)
            archives.pack_media(MEDIA_ARCHIVE, folder)
        else:
            archives.extract(MEDIA_ARCHIVE, folder)
        with _tree_of(commit, Path(place) / "tree") as tree:
            server = Server(tree, folder, running.url)
            try:
                server.start()
                facts = _work(server)
                facts |= _leave_work_undone(server)
                answers = list(_answers(server, facts))
                facts |= _delete(server)
                with redis.Redis.from_url(running.url) as client:
                    keys = archives.read_keys(client)
            finally:
                server.stop()
        _remove_rest(folder)
        archives.pack(DATA / f"{name}.tar.xz", folder, {"commit": commit, **facts}, answers, keys)
    print(f"{name}: {(DATA / f'{name}.tar.xz').stat().st_size:,} bytes, {len(answers)} answers")


@contextlib.contextmanager
def _tree_of(commit: str, tree: Path) -> Iterator[Path]:
    tree.mkdir()
    git = subprocess.Popen(["git", "-C", PROJECT, "archive", commit], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", tree], stdin=git.stdout, check=True)
    assert git.wait() == 0
    yield tree


def _remove_rest(folder: Path) -> None:
    """Remove from STATE_DIR what belongs to processes: models, logs, sounds, sockets."""
    wanted = {path for pattern in _IN_STATE for path in (folder / STATE).glob(pattern)}
    for path in set((folder / STATE).iterdir()) - wanted:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in folder.glob("*.log"):
        path.unlink()


def _path(name: str) -> str:
    return f"{CLIENT_ROOT}/{MEDIA}/{name}"


_CACHE = {"cache_dir": f"{CLIENT_ROOT}/{CACHE}"}
_PEOPLE = {**_CACHE, "cluster_job_name": PEOPLE}


def _work(server: Server) -> Json:
    """Analyze, and do what people do. Return what a test must know of it."""
    (server.folder / "watched").mkdir()
    facts: Json = {}
    video, stills = ("cuts.mp4", "faces.mp4"), ("coffee.jpg", "portrait.jpg")
    facts["analyze"] = {
        **_PEOPLE,
        "visual_media_paths": [_path(name) for name in (*video, *stills)],
        "transcription_jobs": [{"path": _path("talk.m4a"), "language": "english"}],
        "face_media_paths": [_path("faces.mp4")],
        "face_min_samples": 2,
    }
    facts["task_id"] = server.ask("POST", "/analyze", json=facts["analyze"])["task_id"]
    server.wait_for_task(facts["task_id"])
    server.ask("POST", "/analysis-data/load", json=_CACHE)
    facts |= _edit_people(server)
    for label in ("edit suite", "revoked"):
        facts[label] = server.run_command("keys", "create", "--label", label)
    facts["basic"] = server.run_command("keys", "create", "--tier", "basic", "--label", "basic")
    keys = json.loads(server.run_command("keys", "list", "--json"))["keys"]
    (key_id,) = [key["id"] for key in keys if key["label"] == "revoked"]
    server.run_command("keys", "revoke", key_id)
    watched = {**_PEOPLE, "path": f"{CLIENT_ROOT}/watched", "analyze_faces": True,
               "analyze_speech": True, "excluded_filename_globs": ["proxy_*"]}  # fmt: skip
    server.ask("POST", "/watch-folders", json=watched)
    for step in (_limit_keys, _calibrate, _add_webhook, _exclude):
        facts |= step(server)
    return facts


def _edit_people(server: Server) -> Json:
    clusters = _clusters(server)
    first, second = (cluster["cluster_id"] for cluster in clusters[:2])
    names = [{"cluster_id": first, "name": "Ada"}, {"cluster_id": second, "name": "Bo"}]
    server.ask("PUT", "/faces/clusters/names", json={**_PEOPLE, "assignments": names})
    faces = server.ask("POST", "/faces/clusters/faces", json={**_PEOPLE, "cluster_id": first})[
        "faces"
    ]
    moves = [{"face_ids": [faces[-1]["face_id"]], "target_cluster_id": None}]
    merges = [{"cluster_ids": [second], "target_cluster_id": first}]
    server.ask("POST", "/faces/clusters/modify", json={**_PEOPLE, "moves": moves})
    server.ask("POST", "/faces/clusters/modify", json={**_PEOPLE, "merges": merges})
    server.ask("POST", "/faces/edits/undo", json=_PEOPLE)
    if server.has("/faces/people"):
        enrolled = {**_CACHE, "name": "Eileen", "pictures": [_path("portrait.jpg")]}
        server.ask("POST", "/faces/people", json=enrolled)
        words = {**_PEOPLE, "vocabulary": ["Kestrelhaven"]}
        server.ask("POST", "/faces/collections/vocabulary", json=words)
    if server.has("/faces/clusters/voices"):
        heard = [c for c in _clusters(server, voices=True) if c.get("voice_count")]
        names = [{"cluster_id": heard[0]["cluster_id"], "name": "Robert"}]
        server.ask("PUT", "/faces/clusters/names", json={**_PEOPLE, "assignments": names})
    return {"names": ["Ada", "Bo"]}


def _clusters(server: Server, **more: Any) -> list[Json]:
    (job,) = server.ask("GET", "/faces/clusters", params={**_PEOPLE, **more})["cluster_jobs"]
    return [cluster for cluster in job["clusters"] if cluster["cluster_id"] != "-1"]


def _limit_keys(server: Server) -> Json:
    if not server.has("/keys"):
        return {}
    limits = {"scopes": ["search"], "roots": [f"{CLIENT_ROOT}/{MEDIA}", _CACHE["cache_dir"]]}
    body = {"label": "limited", **limits, "expires_at": time.time() + _EXPIRES_IN_S}
    return {"limited": server.ask("POST", "/keys", json=body)["license_key"]}


def _calibrate(server: Server) -> Json:
    if not server.has("/models/calibrate"):
        return {}
    labels = [{"query": query, "media_path": _path("cuts.mp4")} for query in _LABELS]
    server.ask("POST", "/models/calibrate", json={**_CACHE, "labels": labels})
    return {}


def _add_webhook(server: Server) -> Json:
    if not server.has("/webhooks"):
        return {}
    body = {
        "url": "https://mam.example/hooks/rushes",
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "events": ["task.ended", "file.failed"],
    }
    server.ask("POST", "/webhooks", json=body)
    return {}


def _exclude(server: Server) -> Json:
    if server.has("/analysis-data/left-out"):
        excluded = {**_CACHE, "media_paths": [_path("excluded.jpg")], "left_out": True}
        server.ask("POST", "/analysis-data/left-out", json=excluded)
    return {}


def _leave_work_undone(server: Server) -> Json:
    """Submit an analysis after the analysis worker has stopped."""
    server.stop("analysis")
    body = {**_CACHE, "visual_media_paths": [_path("late.mp4")]}
    return {"undone_task_id": server.ask("POST", "/analyze", json=body)["task_id"]}


def _delete(server: Server) -> Json:
    """Delete the results of a file, after the answers were recorded."""
    if not server.has("/analysis-data/delete"):
        return {"deletions": []}
    body = {**_CACHE, "media_paths": [_path("coffee.jpg")], "dry_run": False}
    server.ask("POST", "/analysis-data/delete", json=body)
    return server.ask("GET", "/analysis-data/deletions", params=_CACHE)


def _answers(server: Server, facts: Json) -> Iterator[Json]:
    """Send the fixed list of requests and yield each with its answer."""
    names = ("cuts.mp4", "faces.mp4", "coffee.jpg", "portrait.jpg", "talk.m4a")
    every = [_path(name) for name in names]
    frame = {**_CACHE, "media_path": _path("cuts.mp4"), "time_seconds": 3}
    portrait = {**_CACHE, "image_path": _path("portrait.jpg")}
    people = [{"cluster_job_name": PEOPLE, "person_name": "Ada"}]
    frames = [{"media_path": _path("faces.mp4"), "time_seconds": at} for at in (0, 4)]
    scene = {**_CACHE, "media_path": _path("cuts.mp4"), "start_time": 2, "end_time": 4}
    for path, body in (
        ("/search/text", {**_CACHE, "query": "a cat"}),
        ("/search/text", {**_CACHE, "query": "a cup", "media_paths": [_path("coffee.jpg")]}),
        ("/search/text", {**_CACHE, "query": "a person", "people_filter": people}),
        ("/search/image", portrait),
        ("/search/frame", frame),
        ("/search/transcript", {**_CACHE, "query": "harbor"}),
        ("/search/transcript", {**_CACHE, "query": "harbour", "mode": "fuzzy"}),
        ("/transcriptions", {**_CACHE, "media_paths": [_path("talk.m4a")], "words": True,
                             "warnings": True}),
        ("/media/metadata", {**_CACHE, "media_paths": every}),
        ("/thumbnails", {**_CACHE, "requests": frames}),
        ("/thumbnails/scene", scene),
        ("/faces/clusters/faces", _PEOPLE),
        ("/faces/clusters/samples", {**_PEOPLE, "samples_per_cluster": 2}),
        ("/cache-paths", {**_CACHE, "media_paths": every}),
        ("/analysis-data/load", _CACHE),
        ("/analysis-data/load-for-media", {**_CACHE, "media_paths": every}),
        ("/analysis-data/load-transcriptions", _CACHE),
    ):  # fmt: skip
        yield _answer(server, "POST", path, {"json": body})
    yield _answer(server, "GET", "/faces/clusters", {"params": _PEOPLE})
    yield _answer(server, "GET", "/faces/edits", {"params": _PEOPLE})
    yield _answer(server, "GET", "/watch-folders", {})
    yield _answer(server, "GET", f"/tasks/{facts['task_id']}", {"params": {"files": "true"}})
    yield from _newer_answers(server)


def _newer_answers(server: Server) -> Iterator[Json]:
    """Send the requests that not every commit has."""
    talk = {**_CACHE, "media_paths": [_path("talk.m4a")]}
    for method, path, more in (
        ("POST", "/faces/voices/of", {"json": {**_PEOPLE, "media_path": _path("talk.m4a")}}),
        ("POST", "/faces/collections/vocabulary", {"json": _PEOPLE}),
        ("GET", "/faces/people", {"params": _CACHE}),
        ("GET", "/faces/proposals", {"params": _PEOPLE}),
        ("GET", "/analysis-data/left-out", {"params": _CACHE}),
        ("GET", "/keys", {}),
        ("GET", "/webhooks", {}),
        ("GET", "/audit", {"params": {"limit": 100}}),
    ):
        if server.has(path):
            yield _answer(server, method, path, more)
    if server.has("/faces/clusters/voices"):
        yield _answer(server, "POST", "/transcriptions", {"json": {**talk, "speakers": True}})
        heard = {**_PEOPLE, "voices": "true", "details": "true"}
        yield _answer(server, "GET", "/faces/clusters", {"params": heard})
        yield _answer(
            server, "POST", "/search/text",
            {"json": {**_CACHE, "query": "a cat", "details": True, "coverage": True}},
        )  # fmt: skip


def _answer(server: Server, method: str, path: str, more: Json) -> Json:
    answer = shorten(server.ask(method, path, **more))
    return {"method": method, "path": path, **more, "answer": answer}


if __name__ == "__main__":
    main()
