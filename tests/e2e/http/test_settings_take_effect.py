"""Each setting does what docs/operate/configuration.md says, seen from outside the processes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import socketio.exceptions

from shared.process import machine
from shared.settings import Settings
from tests.e2e.http.test_odd_paths import NAMES
from tests.support.media.media import make_clip, make_still
from tests.support.private_redis import private_redis
from tests.support.socketio_client import Watcher
from tests.support.stack import KEY, PROJECT, Stack, free_port, running_stack
from tests.support.waiting import wait_for
from tests.support.watch.ingest import Ingest


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an odd name, that clients know by other names."""
    folder = tmp_path_factory.mktemp("share") / NAMES[0]
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def changed(share: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One of each process, with settings that do not touch each other."""
    settings = {
        "RUSHES_PATH_MAP": f"Z:\\footage={share};/Volumes/footage={share}",
        "RUSHES_MEDIA_ROOTS": str(share / "media"),
        "RUSHES_CACHE_ROOTS": str(share / "caches"),
        "RUSHES_LOG_FORMAT": "json",
        "RUSHES_WATCH_EXTENSIONS": "-gif, +dav",
    }
    for name in ("media", "caches"):
        (share / name).mkdir()
    folder = tmp_path_factory.mktemp("stack")
    with private_redis() as redis, running_stack(folder, redis.url, **settings) as stack:
        yield stack


def test_clients_send_and_get_back_their_own_form_of_a_path(changed: Stack, share: Path) -> None:
    make_still(share / "media" / "Tag 1" / "Ü #1%.jpg", colour=(200, 30, 30))
    client = changed.client()
    for cache_dir, path in [
        ("Z:\\footage\\caches\\1", "Z:\\footage\\media\\Tag 1\\Ü #1%.jpg"),
        ("/Volumes/footage/caches/1", "/Volumes/footage/media/Tag 1/Ü #1%.jpg"),
    ]:
        bad = path.replace("#1", "#2")
        record = client.analyzed(Path(cache_dir), Path(path), Path(bad))
        assert [failed["media_path"] for failed in record["failed_files"]] == [bad]
        files = client.task(record["task_id"], files=True)["files"]
        assert {file["media_path"] for file in files} == {path, bad}
        for media_paths in (None, [path]):
            found = client.ok(
                "/search/text", query="red", cache_dir=cache_dir, media_paths=media_paths
            )["matches"]
            assert [match["video_path"] for match in found] == [path]
        media = client.ok("/media/metadata", media_paths=[path], cache_dir=cache_dir)["media"]
        assert media[0]["media_path"] == path


def test_paths_outside_the_roots_are_403_and_name_the_setting(
    changed: Stack, share: Path, tmp_path: Path
) -> None:
    inside = make_still(share / "media" / "a.jpg", colour=(200, 30, 30))
    outside = make_still(tmp_path / "b.jpg", colour=(200, 30, 30))
    client = changed.client()
    for cache_dir, media, setting in [
        (share / "caches" / "a", outside, "RUSHES_MEDIA_ROOTS"),
        (tmp_path / "elsewhere", inside, "RUSHES_CACHE_ROOTS"),
    ]:
        answer = client.post("/analyze", cache_dir=str(cache_dir), visual_media_paths=[str(media)])
        assert answer.status_code == 403
        assert answer.json()["error"] == "Path not allowed"
        assert setting in answer.json()["message"]
    batch = client.ok("/media/metadata", media_paths=[str(inside), str(outside)])["media"]
    assert batch[0]["error"] is None
    assert "RUSHES_MEDIA_ROOTS" in batch[1]["error"]
    client.analyzed(share / "caches" / "a", inside)


def test_roots_may_have_odd_names(changed: Stack, share: Path) -> None:
    cache = share / "caches" / NAMES[0]
    still = make_still(share / "media" / f"{NAMES[0]}.png", colour=(20, 200, 60))
    client = changed.client()
    client.analyzed(cache, still)
    found = client.ok("/search/text", query="green", cache_dir=str(cache))["matches"]
    assert [match["video_path"] for match in found] == [str(still)]


def test_json_logs_carry_the_task_id_from_the_request_to_the_worker(
    changed: Stack, share: Path
) -> None:
    still = make_still(share / "media" / "logged.jpg", colour=(30, 30, 200))
    bad = share / "media" / "bad.jpg"
    bad.write_bytes(b"no picture")
    task_id = changed.client().analyzed(share / "caches" / "logged", still, bad)["task_id"]
    for name in ("api-0", "analysis-0"):
        log = changed.processes[name].text()
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        ours = [line for line in lines if line.get("task_id") == task_id]
        assert ours, f"{name} logged nothing with the task id"
    causes = [line["message"] for line in ours if "bad.jpg" in line["message"]]
    assert causes, "the worker's log names the bad file and the cause"


def test_the_list_of_watched_extensions_can_be_changed(
    changed: Stack, share: Path, tmp_path: Path
) -> None:
    media = share / "media" / "incoming"
    make_still(media / "a.png", colour=(200, 30, 30))
    make_still(media / "b.gif", colour=(30, 200, 30))
    make_clip(tmp_path / "c.mp4", 2).rename(media / "c.DAV")
    changed.start_worker("watcher")
    ingest = Ingest(changed.client())
    ingest.start()
    folder = ingest.add(media, share / "caches" / "incoming")
    assert folder.wait_processed(2)["files_total"] == 2
    assert set(folder.files("processed")) == {str(media / name) for name in ("a.png", "c.DAV")}


def test_a_public_host_without_roots_ends_with_one_sentence_and_exit_2(tmp_path: Path) -> None:
    for command in (["-m", "api"], ["-m", "workers", "analysis"]):
        result = subprocess.run(
            [sys.executable, *command],
            cwd=PROJECT,
            env={"PATH": "/usr/bin", "RUSHES_HOST": "0.0.0.0", "RUSHES_STATE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 2, result.stderr
        assert "RUSHES_MEDIA_ROOTS" in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_two_instances_on_one_redis_do_not_see_each_other(tmp_path: Path, redis_url: str) -> None:
    still = make_still(tmp_path / "a.jpg", colour=(200, 30, 30))
    with (
        running_stack(tmp_path / "one", redis_url, query=0, RUSHES_INSTANCE="one") as one,
        running_stack(
            tmp_path / "two", redis_url, analysis=0, query=0, RUSHES_INSTANCE="two"
        ) as two,
    ):
        waiting = two.client().analyze(tmp_path / "cache two", still)
        one.client().analyzed(tmp_path / "cache one", still)
        assert one.client().get(f"/tasks/{waiting}").status_code == 404
        assert two.client().task(waiting)["status"] == "queued"


def test_one_api_with_every_switch_turned(tmp_path: Path, redis_url: str) -> None:
    switches = {
        "RUSHES_METRICS": "off",
        "RUSHES_MAX_BODY_MB": "1",
        "RUSHES_CORS_ORIGINS": "none, https://panel.example",
        "RUSHES_ON_BUSY": "refuse",
        "RUSHES_SOCKET_AUTH": "required",
        "RUSHES_LICENSE_KEYS": f"other, {KEY}",
    }
    with running_stack(tmp_path / "stack", redis_url, analysis=0, query=0, **switches) as stack:
        port = stack.ports[0]
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 404
        assert stack.client(key="other").get("/tasks").status_code == 200
        assert stack.client(key="third").get("/tasks").status_code == 403
        big = stack.client().post("/analyze", cache_dir="/" + "x" * (1 << 20))
        assert big.status_code == 413
        assert "RUSHES_MAX_BODY_MB" in big.json()["message"]
        body = {"cache_dir": str(tmp_path / "cache"), "visual_media_paths": ["/nowhere/a.mp4"]}
        assert stack.client(key="other").ok("/analyze", **body)
        assert stack.client().post("/analyze", **body).status_code == 409
        assert stack.client().ok("/analyze", **body, on_busy="queue")
        named = stack.client().post("/analyze", **body, on_busy="push")
        assert named.status_code == 400
        assert '"replace", "replace-any", "queue", "refuse"' in named.json()["message"]
        for origin, allowed in [("https://panel.example", True), ("null", False)]:
            answer = stack.client().http.get("/health", headers={"Origin": origin})
            assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
        with pytest.raises(socketio.exceptions.ConnectionError), Watcher(stack.client().url):
            pass
        with Watcher(stack.client().url, key=KEY) as watcher:
            assert "error" in watcher.join("0" * 32)


def test_by_default_panels_may_call_metrics_are_served_and_keyless_sockets_may_join(
    tmp_path: Path, redis_url: str
) -> None:
    with running_stack(tmp_path, redis_url, analysis=0, query=0) as stack:
        client = stack.client()
        assert httpx.get(f"{client.url}/metrics").status_code == 200
        for origin in ("null", "http://localhost:3000"):
            answer = client.http.get("/health", headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
        foreign = client.http.get("/health", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in foreign.headers
        with Watcher(client.url) as watcher:
            assert "error" in watcher.join("0" * 32)
        with pytest.raises(socketio.exceptions.ConnectionError), Watcher(client.url, key="wrong"):
            pass


def test_without_weights_models_and_messages_say_what_to_do(tmp_path: Path, redis_url: str) -> None:
    empty = tmp_path / "models"
    empty.mkdir()
    with running_stack(
        tmp_path / "stack", redis_url, analysis=0, query=0, RUSHES_MODELS_DIR=str(empty)
    ) as stack:
        client = stack.client()
        lite = client.get("/models/available").json()["visual"]
        mine = next(model for model in lite if model["model_key"] == "conse-lite0")
        assert mine["is_downloaded"] is False
        task_id = client.analyze(
            tmp_path / "cache", make_still(tmp_path / "a.jpg", colour=(200, 30, 30))
        )
        stack.start_worker("analysis")
        wait_for(
            lambda: "models pull" in client.task(task_id)["message"], 30, "the task to say why"
        )
        assert client.task(task_id)["status"] not in ("completed", "failed", "cancelled")


def test_rushes_up_listens_on_its_port_and_starts_that_many_workers(tmp_path: Path) -> None:
    port = free_port()
    settings = {"RUSHES_PORT": str(port), "RUSHES_WORKERS": "2", "RUSHES_QUERY_WORKERS": "1"}
    stack = Stack(tmp_path, "", settings)
    up = stack.start("up", "-m", "cli.main", "up", RUSHES_REDIS_URL="")
    stack.ports.append(port)
    try:
        client = stack.client()

        def ready() -> bool:
            assert up.popen.poll() is None, up.text()
            try:
                return client.get("/ready").json().get("workers", {}).get("analysis") == 2
            except httpx.TransportError:
                return False

        wait_for(ready, 60, "two analysis workers", every_s=0.2)
        threads = machine.decode_threads(Settings(workers=2))
        assert f"starting 2 analysis workers with {threads} decode thread" in up.text()
        for number in re.findall(r"analysis worker \d runs as process (\d+)", up.text()):
            given = Path(f"/proc/{number}/environ").read_text().split("\0")
            assert f"RUSHES_DECODE_THREADS={threads}" in given
        first_key = tmp_path / "state" / "first-key"
        assert not first_key.exists(), "a key is configured, so none is made"
        still = make_still(tmp_path / "a.jpg", colour=(200, 30, 30))
        client.analyzed(tmp_path / "cache", still)
        assert up.end(30) == 0, up.text()
    finally:
        stack.stop()
