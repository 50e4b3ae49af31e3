"""`python -m tests.image.trial WORK`: starts every service of the compose file and uses them.

Runs in network and mount namespaces of its own (`python -m tests.image` makes them), so that ports
are free and nothing reaches a network.
"""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.image.containers import Container
from tests.support.waiting import wait_for

API = "http://127.0.0.1:6699/api/v1"
MEDIA, ARCHIVE = "/footage", "/mnt/archive"  # MEDIA_DIR as .env.example has it, and MEDIA_DIR_2
CACHE, EXPORTS = f"{MEDIA}/.rushes", f"{MEDIA}/exports"  # as in README's examples
SCALED = 2  # analysis workers


def main(work: Path) -> None:
    """Start, use, stop; an AssertionError says what is wrong, with the service's log."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    services, images = pickle.loads((work / "trial.pickle").read_bytes())
    running: dict[str, Container] = {}
    try:
        start_all(work, services, images, running)
        use(running, work)
        stop_all(running)
    finally:
        for container in running.values():
            if container.popen and container.popen.poll() is None:
                container.popen.kill()


def start_all(work: Path, services: Any, images: Any, running: dict[str, Container]) -> None:
    def start(name: str, number: int = 1) -> Container:
        container = Container(
            f"{name}-{number}", services[name], images[name], work, work / "volumes"
        )
        container.start()
        running[container.name] = container
        return container

    start("redis").wait_healthy()
    models = start("models")
    assert models.wait(60) == 0, f"models without a network:\n{models.text()}"
    del running[models.name]
    print("   models: all there, ended with 0 without a network", flush=True)
    names = [name for name in services if name not in ("redis", "models")]
    started = [start(name) for name in names]
    started += [start("analysis", number + 1) for number in range(1, SCALED)]
    for container in started:
        container.wait_healthy()


def use(running: dict[str, Container], work: Path) -> None:
    made = running["api-1"].execute("rushes", "keys", "create", "--label", "trial")
    assert made.returncode == 0, made.stdout
    with httpx.Client(
        base_url=API, headers={"X-License-Key": made.stdout.strip()}, timeout=60
    ) as client:
        answer = wait_for(lambda: ready(client), 60, "/ready", every_s=0.3)
        print(f"   /ready: {answer}", flush=True)
        analyze(client)
        search(client)
        export(client, work)
        watch(client, work)


def ready(client: httpx.Client) -> Any:
    answer = client.get("/ready?require=models,roots")
    return answer.status_code == 200 and not answer.json()["loading"] and answer.json()


def analyze(client: httpx.Client) -> None:
    clip = f"{MEDIA}/bikes.mp4"
    body = {
        "cache_dir": CACHE,
        "cluster_job_name": "trial",
        "visual_media_paths": [clip],
        "face_media_paths": [clip],
        "transcription_jobs": [{"path": f"{ARCHIVE}/reading.wav"}],
    }
    record = _ended(client, _ok(client.post("/analyze", json=body))["task_id"])
    print(f"   analyze: {record['status']}, {record['message']}", flush=True)
    assert record["status"] == "completed", record
    assert not record["failed_files"], record


def search(client: httpx.Client) -> None:
    body = {"cache_dir": CACHE, "query": "a bicycle", "max_results": 3}
    matches = _ok(client.post("/search/text", json=body))["matches"]
    found = [(m["video_path"], m["timestamp"]) for m in matches]
    print(f"   search 'a bicycle': {found}", flush=True)
    assert found
    assert found[0][0] == f"{MEDIA}/bikes.mp4"
    body = {"cache_dir": CACHE, "query": "leisure"}
    said = [m["text"] for m in _ok(client.post("/search/transcript", json=body))["matches"]]
    print(f"   search for what is said, 'leisure': {said}", flush=True)
    assert said


def export(client: httpx.Client, work: Path) -> None:
    clips = [{"media_path": f"{MEDIA}/bikes.mp4", "start_time": 1, "end_time": 3}]
    body = {"clips": clips, "output_dir": EXPORTS, "create_dir": True}
    answer = _ok(client.post("/export/clips", json=body))
    files = sorted((work / "volumes" / EXPORTS.lstrip("/")).iterdir())
    print(f"   export: {[(f.name, f.stat().st_uid) for f in files]}", flush=True)
    assert files, answer


def watch(client: httpx.Client, work: Path) -> None:
    body = {"path": ARCHIVE, "cache_dir": f"{ARCHIVE}/.rushes"}
    folder = _ok(client.post("/watch-folders", json=body))
    _ok(client.post("/watch-folders/service/start"))
    media, archive = (work / "volumes" / folder.lstrip("/") for folder in (MEDIA, ARCHIVE))
    shutil.copyfile(media / "bikes.mp4", archive / "again.mp4")

    def taken() -> Any:
        query = f"/watch-folders/{folder['id']}/files?state=processed"
        return [f for f in _ok(client.get(query))["files"] if f["path"].endswith("again.mp4")]

    found = wait_for(taken, 60, "the watcher's new file", every_s=0.5)
    print(f"   watcher: {[(f['path'], f['state']) for f in found]}", flush=True)


def stop_all(running: dict[str, Container]) -> None:
    for container in running.values():
        checked = container.check()
        assert checked.returncode == 0, f"{container.name}: {checked.stdout}"
    print(f"   health checks: {len(running)} of {len(running)} pass", flush=True)
    for name in sorted(running, key=lambda name: name == "redis-1"):
        print(f"   {name}: stopped in {running[name].stop():.1f} s", flush=True)


def _ended(client: httpx.Client, task_id: str) -> dict[str, Any]:
    def final() -> dict[str, Any] | None:
        record: dict[str, Any] = _ok(client.get(f"/tasks/{task_id}"))
        return record if record["status"] in ("completed", "cancelled", "failed") else None

    return wait_for(final, 180, f"the end of task {task_id}", every_s=0.3)


def _ok(answer: httpx.Response) -> Any:
    assert answer.status_code < 300, f"{answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
