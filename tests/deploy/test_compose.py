"""docker-compose.yml: valid by Compose's own schema, and about things that exist."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis

from api.__main__ import GRACE_S
from cli.processes import redis_binary
from shared.errors import RedisAway
from shared.redis.clients import connect
from shared.settings import Settings
from tests.deploy.commands import SETTINGS, parse, unknown_names
from tests.deploy.compose import PASSWORD, PROJECT, compose, resolved
from tests.image.containers import seconds
from tests.support.waiting import wait_for

COMMON = {"redis", "api", "recluster", "export", "watcher"}
CPU = COMMON | {"models", "query", "analysis"}
GPU = COMMON | {"models-gpu", "query-gpu", "analysis-gpu"}
ONE_SHOT = {"models", "models-gpu"}
NGINX = ("docker-compose.yml", "deploy/compose.nginx.yml")
BEHIND_NGINX = {"TLS_DIR": "/etc/rushes/tls", "RUSHES_ALLOWED_HOSTS": "rushes.example.com"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Those of both profiles."""
    cpu, gpu = resolved(), resolved("--profile", "gpu")
    return {**cpu["services"], **gpu["services"]}


def ours(services: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, service) for name, service in services.items() if name != "redis")


def test_up_alone_starts_the_cpu_set_and_the_gpu_profile_starts_no_cpu_model() -> None:
    assert set(resolved()["services"]) == CPU
    assert set(resolved("--profile", "gpu")["services"]) == GPU


def test_without_a_folder_of_media_it_says_what_to_set(tmp_path: Path) -> None:
    empty = tmp_path / "env"
    empty.write_text("")
    done = compose("config", env_file=empty)
    assert done.returncode != 0
    assert "set MEDIA_DIR in .env, see .env.example" in done.stderr


def test_what_users_uncomment_arrives_as_it_is_written(tmp_path: Path) -> None:
    text = (PROJECT / ".env.example").read_text(encoding="utf-8")
    (tmp_path / "env").write_text(re.sub(r"^# (\w+=)", r"\1", text, flags=re.M), encoding="utf-8")
    name = "rushes.example.com"
    done = compose(
        "config", "--format", "json", env_file=tmp_path / "env", RUSHES_ALLOWED_HOSTS=name
    )
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    assert services["alertmanager"]["environment"]["ALERT_MAIL_PASSWORD"] == "pa$$word"
    env = services["watcher"]["environment"]
    assert env["RUSHES_PATH_MAP"] == r"Z:\footage=/srv/footage;/Volumes/footage=/srv/footage"
    values = {name: value for name, value in env.items() if name.startswith("RUSHES_")}
    assert Settings.from_env(values).path_map == (
        ("Z:\\footage", "/srv/footage"),
        ("/Volumes/footage", "/srv/footage"),
    )


def test_every_service_can_be_scaled_but_the_two_that_have_one_place(
    services: dict[str, Any],
) -> None:
    for name, service in services.items():
        assert "container_name" not in service, name
        assert bool(service.get("ports")) == (name == "api"), name


def test_every_service_is_confined_bounded_and_watched(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["init"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"] == {"max-file": "5", "max-size": "10m"}, name
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name
        assert service["healthcheck"].get("disable", False) == (name in ONE_SHOT), name


def test_every_service_has_a_limit_of_memory(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert int(service["mem_limit"]) >= 2 << 30, name


def test_redis_keeps_what_it_is_given(services: dict[str, Any]) -> None:
    options = redis_options(services["redis"])
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--maxmemory"] == "1gb", "below the limit of the container"
    assert [v["target"] for v in services["redis"]["volumes"]] == ["/data"]
    assert not services["redis"].get("ports"), "only these containers reach it"


def redis_options(service: dict[str, Any]) -> dict[str, str]:
    shell, option, _script, program, *words = service["command"]
    assert (shell, option, program) == ("sh", "-c", "redis-server")
    return dict(zip(words[::2], words[1::2], strict=True))


def test_the_password_of_redis_is_made_at_install_and_shipped_nowhere(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text((PROJECT / ".env.example").read_text(encoding="utf-8"), encoding="utf-8")
    refused = compose("config", env_file=env, REDIS_PASSWORD="")
    assert refused.returncode != 0
    assert "make one for .env, see .env.example" in refused.stderr
    (how,) = re.findall(r"^#   (sed .* \.env; chmod 600 \.env)$", env.read_text(), re.M)
    subprocess.run(["sh", "-c", how], cwd=tmp_path, check=True)
    (made,) = re.findall(r"^REDIS_PASSWORD=([0-9a-f]{64})$", env.read_text(), re.M)
    assert env.stat().st_mode & 0o777 == 0o600
    services = resolved(REDIS_PASSWORD=made)["services"]
    url = f"redis://:{made}@redis:6379/0"
    assert services["redis"]["environment"] == {"REDISCLI_AUTH": made}
    assert all(one["environment"]["RUSHES_REDIS_URL"] == url for _, one in ours(services))


def test_redis_lets_nobody_in_without_the_password_nor_shows_it(
    services: dict[str, Any], tmp_path: Path
) -> None:
    """The command as it stands, with a port and a folder of this test."""
    command = [word.replace("$$", "$") for word in services["redis"]["command"]]
    command += ["--port", "0", "--unixsocket", str(tmp_path / "s"), "--dir", str(tmp_path)]
    binary = redis_binary.find()
    environment = {"PATH": f"{binary.parent}:{os.environ['PATH']}", "REDISCLI_AUTH": PASSWORD}
    server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    try:
        with connect(f"unix://{tmp_path}/s", decode=True) as nobody:
            wait_for(lambda: "authenticat" in _said(nobody).lower(), 10, "Redis")
        with connect(f"unix://:{PASSWORD}@{tmp_path}/s") as client:
            assert client.ping()
            assert client.config_get("appendonly") == {"appendonly": "yes"}
        shown = Path(f"/proc/{server.pid}/cmdline").read_bytes()
        assert b"redis-server" in shown
        assert PASSWORD.encode() not in shown
    finally:
        server.terminate()
        assert server.wait(10) == 0, "SIGTERM reaches it"


def _said(client: redis.Redis) -> str:
    try:
        return str(client.ping())
    except RedisAway as error:
        return str(error)


def test_nothing_of_ours_starts_before_redis_and_the_models_that_it_needs(
    services: dict[str, Any],
) -> None:
    for name, service in ours(services):
        waits = {other: way["condition"] for other, way in service.get("depends_on", {}).items()}
        models = {"query": "models", "analysis": "models"}.get(name.removesuffix("-gpu"))
        wanted = {} if name in ONE_SHOT else {"redis": "service_healthy"}
        if models:
            suffix = "-gpu" if name.endswith("-gpu") else ""
            wanted[models + suffix] = "service_completed_successfully"
        assert waits == wanted, name


def test_every_process_gets_the_same_settings_and_none_is_out_of_reach(
    services: dict[str, Any],
) -> None:
    alone = {"RUSHES_QUERY_WORKERS"}  # of `rushes up`
    first: dict[str, str] = {}
    for name, service in ours(services):
        env = dict(service["environment"])
        assert {key for key in env if key.startswith("RUSHES_")} == SETTINGS - alone, name
        assert env.pop("RUSHES_DEVICE") == ("cuda" if name.endswith("-gpu") else "cpu"), name
        first = first or env
        assert env == first, name


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_analysis_has_as_many_replicas_as_share_the_cores(profile: str) -> None:
    name = "analysis" if profile == "cpu" else "analysis-gpu"
    for given, replicas in ({}, 1), ({"RUSHES_WORKERS": "4"}, 4):
        service = resolved("--profile", profile, **given)["services"][name]
        assert service["scale"] == replicas
        assert service["environment"]["RUSHES_WORKERS"] == given.get("RUSHES_WORKERS", "")


def test_every_variable_of_the_files_is_a_setting_or_told_of_in_the_example_of_env() -> None:
    files = [*PROJECT.glob("deploy/compose.*.yml"), *PROJECT.glob("deploy/models/*.env")]
    used = {
        name
        for path in (PROJECT / "docker-compose.yml", *files)
        for name in re.findall(r"(?<!\$)\$\{(\w+)", path.read_text(encoding="utf-8"))
    }
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    told = set(re.findall(r"^(?:# )?(\w+)=", example, re.M))
    told |= {f"MEDIA_DIR_{number}" for number in range(3, 9)}  # "up to seven more"
    assert used - told - SETTINGS == set()
    assert told - used - {"COMPOSE_FILE", "COMPOSE_PROJECT_NAME"} == set()


def test_every_command_is_one_of_ours_and_every_name_a_setting(services: dict[str, Any]) -> None:
    for _, service in ours(services):
        parse(service["command"])
    for file in ("docker-compose.yml", ".env.example"):
        assert not unknown_names((PROJECT / file).read_text(encoding="utf-8")), file


def test_each_worker_asks_for_its_own_heartbeat(services: dict[str, Any]) -> None:
    for name, service in ours(services):
        if name != "api" and name not in ONE_SHOT:
            kind = service["command"][-1]
            wanted = ["CMD", "python", "-m", "workers.alive", kind]
            assert service["healthcheck"]["test"] == wanted, name


def test_a_fresh_start_is_healthy_once_models_and_roots_are_there(services: dict[str, Any]) -> None:
    health = services["api"]["healthcheck"]
    assert asked(health) == "/api/v1/ready?require=models,roots"
    assert seconds(health["start_period"]) >= 2 * 3600, "weights are fetched meanwhile"
    assert (check(health, 503), check(health, 200)) == (1, 0)


def test_the_proxy_waits_for_an_api_that_redis_answers_and_for_no_worker() -> None:
    project = resolved(files=NGINX, **BEHIND_NGINX)["services"]
    health = project["api"]["healthcheck"]
    assert asked(health) == "/api/v1/ready?require=redis"
    assert seconds(health["start_period"]) <= 60
    assert project["nginx"]["depends_on"]["api"]["condition"] == "service_healthy"
    assert (check(health, 503), check(health, 200)) == (1, 0)


def asked(health: dict[str, Any]) -> str:
    """The path that a health check asks."""
    (path,) = re.findall(r"http://127.0.0.1:6699(\S+?)'", " ".join(health["test"]))
    return str(path)


def check(health: dict[str, Any], status: int) -> int:
    """How a health check ends where the server answers with this status."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == asked(health) else 404)
            self.end_headers()
            self.wfile.write(b"what is missing")

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.handle_request).start()
        _, _, option, program = health["test"]
        program = program.replace(":6699", f":{server.server_port}")
        done = subprocess.run(
            [sys.executable, option, program], capture_output=True, text=True, timeout=30
        )
    assert ("what is missing" in done.stderr) == (status == 503), done.stderr
    return done.returncode


def test_there_is_time_to_end_in_good_order(services: dict[str, Any]) -> None:
    assert seconds(services["api"]["stop_grace_period"]) > GRACE_S
    for name, service in ours(services):
        if name not in ("api", *ONE_SHOT):  # 10 s is what `rushes up` gives them
            assert seconds(service["stop_grace_period"]) > 10, name


def test_gpu_workers_ask_for_the_gpu_and_are_built_for_it(services: dict[str, Any]) -> None:
    for name in ("query-gpu", "analysis-gpu"):
        service = services[name]
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device["driver"] == "nvidia", name
        assert device["capabilities"] == ["gpu"], name
    for name, service in ours(services):
        target = service["build"].get("target")
        wanted = "cuda" if name.endswith("-gpu") else "cpu"
        assert target == (None if name == "api" else wanted), name


def test_behind_nginx_the_api_has_replicas_and_no_port() -> None:
    project = resolved(files=NGINX, **BEHIND_NGINX)["services"]
    assert not project["api"].get("ports")
    assert project["api"]["deploy"]["replicas"] == 2
    assert {port["target"] for port in project["nginx"]["ports"]} == {80, 443}


def test_behind_nginx_the_public_name_must_be_said_even_beside_a_public_url() -> None:
    named = [word for name in NGINX for word in ("--file", str(PROJECT / name))]
    more = {"TLS_DIR": "/etc/rushes/tls", "RUSHES_PUBLIC_URL": "https://rushes.example.com"}
    refused = compose(*named, "config", **more)
    assert refused.returncode != 0
    assert "RUSHES_ALLOWED_HOSTS" in refused.stderr


def test_nginx_gets_the_shipped_file_with_the_service_in_place_of_addresses(tmp_path: Path) -> None:
    nginx = resolved(files=NGINX, **BEHIND_NGINX)["services"]["nginx"]
    shipped = next(v["source"] for v in nginx["volumes"] if v["target"] == "/rushes.conf")
    shell, _, script = nginx["command"]
    script = script.replace("/rushes.conf >", f"{shipped} >")
    script = script.replace("/etc/nginx/conf.d/", f"{tmp_path}/").partition("&& exec nginx")[0]
    subprocess.run([shell, "-c", script], check=True)
    written = (tmp_path / "rushes.conf").read_text(encoding="utf-8")
    before = Path(shipped).read_text(encoding="utf-8")
    assert written.count("server api:6699;") == before.count("server 127.0.0.1:") > 0
    assert "127.0.0.1" not in written


def test_monitoring_finds_what_it_is_told_to_read() -> None:
    files = ("docker-compose.yml", "deploy/compose.monitoring.yml")
    services = resolved(files=files, GRAFANA_PASSWORD="secret")["services"]
    assert set(services) == CPU | {"prometheus", "alertmanager", "grafana"}
    for name in ("prometheus", "alertmanager", "grafana"):
        for volume in services[name]["volumes"]:
            assert volume["type"] == "volume" or Path(volume["source"]).exists(), volume
        assert all(port["host_ip"] == "127.0.0.1" for port in services[name]["ports"]), name
    inside = "/etc/prometheus/"
    option = next(word for word in services["prometheus"]["command"] if "config.file" in word)
    assert (PROJECT / "deploy/prometheus" / option.partition(inside)[2]).is_file()
