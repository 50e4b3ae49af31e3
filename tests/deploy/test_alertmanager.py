"""Alertmanager of compose.monitoring.yml: sends to those whom .env names, else to nobody."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.compose import PROJECT, resolved
from tests.support.monitoring.debian_programs import ALERTMANAGER, bin_of, unpacked
from tests.support.monitoring.mail_server import MailServer
from tests.support.skip_or_fail import skip_or_fail
from tests.support.stack import free_port
from tests.support.waiting import wait_for

FILES = ("docker-compose.yml", "deploy/compose.monitoring.yml")
MAIL = {"ALERT_MAIL_TO": "ops@studio.example,boss@studio.example", "ALERT_SMARTHOST": "mx:587"}
USER = {"ALERT_MAIL_USER": "o'rushes", "ALERT_MAIL_PASSWORD": "secret: #1"}
HOOK = {"ALERT_WEBHOOK_URL": "https://studio.example/hooks?a=b&c='d'"}


def service(**env: str) -> dict[str, Any]:
    services = resolved(files=FILES, GRAFANA_PASSWORD="secret", **env)["services"]
    return dict(services["alertmanager"])


def started(
    folder: Path, program: str, *options: str, **env: str
) -> tuple[list[str], dict[str, str]]:
    """What the container would start, with `program` (lines of sh) in place of Alertmanager."""
    found = service(**env)
    (folder / "bin").mkdir()
    (folder / "bin" / "alertmanager").write_text(f"#!/bin/sh\n{program}\n")
    (folder / "bin" / "alertmanager").chmod(0o755)
    mounts = {v["target"]: v["source"] for v in found["volumes"]}
    shell, script = found["entrypoint"]
    environment = {name: str(value) for name, value in found["environment"].items()}
    environment["ALERT_MAIL_SECRET"] = mounts[environment["ALERT_MAIL_SECRET"]]
    environment |= {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(folder)}
    return [shell, mounts[script], *options], environment


def written(folder: Path, **env: str) -> dict[str, Any]:
    """The configuration by these variables, with which amtool must be content."""
    command, environment = started(folder, "exit 0", **env)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path = folder / "alertmanager.yml"
    checked = subprocess.run(
        [str(bin_of(ALERTMANAGER) / "amtool"), "check-config", str(path)],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_with_nothing_set_it_runs_and_sends_nothing_to_anybody(tmp_path: Path) -> None:
    found = written(tmp_path)
    assert found["receivers"] == [{"name": found["route"]["receiver"]}]


def test_who_is_named_is_sent_what_fires_and_what_is_over(tmp_path: Path) -> None:
    [receiver] = written(tmp_path, **MAIL, **USER, **HOOK)["receivers"]
    [mail], [hook] = receiver["email_configs"], receiver["webhook_configs"]
    assert mail == {
        "to": MAIL["ALERT_MAIL_TO"],
        "from": "ops@studio.example",
        "smarthost": "mx:587",
        "require_tls": True,
        "send_resolved": True,
        "auth_username": "o'rushes",
        "auth_password_file": str(tmp_path / "mail-password"),
    }
    secret = tmp_path / "mail-password"
    assert secret.read_text() == USER["ALERT_MAIL_PASSWORD"]
    assert secret.stat().st_mode & 0o077 == 0
    assert hook == {"url": HOOK["ALERT_WEBHOOK_URL"], "send_resolved": True}


def test_a_password_may_lie_in_a_file_and_no_tls_is_said(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the file")
    env = {**MAIL, "ALERT_MAIL_FROM": "rushes@studio.example", "ALERT_MAIL_TLS": "false"}
    env |= {"ALERT_MAIL_USER": "rushes", "ALERT_MAIL_PASSWORD_FILE": str(secret)}
    [receiver] = written(tmp_path, **env)["receivers"]
    [mail] = receiver["email_configs"]
    assert mail["from"] == "rushes@studio.example"
    assert mail["auth_password_file"] == str(secret)
    assert mail["require_tls"] is False
    assert "webhook_configs" not in receiver


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"ALERT_MAIL_TO": "ops@studio.example"}, "ALERT_MAIL_TO needs ALERT_SMARTHOST"),
        ({**MAIL, "ALERT_MAIL_USER": "rushes"}, "ALERT_MAIL_USER needs ALERT_MAIL_PASSWORD"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_started(
    env: dict[str, str], said: str, tmp_path: Path
) -> None:
    command, environment = started(tmp_path, "echo started", **env)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_prometheus_sends_its_alerts_to_it() -> None:
    services = resolved(files=FILES, GRAFANA_PASSWORD="secret")["services"]
    config = yaml.safe_load((PROJECT / "deploy/prometheus/prometheus.yml").read_text())
    [manager] = config["alerting"]["alertmanagers"]
    [[target]] = [each["targets"] for each in manager["static_configs"]]
    name, _, port = target.partition(":")
    assert [str(each["target"]) for each in services[name]["ports"]] == [port]


@contextmanager
def receiving() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The URL of a webhook, and what it is sent."""
    messages: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/alerts", messages
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(folder: Path, **env: str) -> Iterator[str]:
    """The address of a real Alertmanager that groups without a pause."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        skip_or_fail("this user may not make mount namespaces")
    address = f"127.0.0.1:{free_port()}"
    # Debian's reads its templates from /usr/share, where they are only put for it alone.
    program = f"""
    sed -i 's/group_wait: .*/group_wait: 0s/' "$TMPDIR/alertmanager.yml"
    mount --bind {unpacked(ALERTMANAGER)}/usr/share /usr/share
    exec {bin_of(ALERTMANAGER)}/prometheus-alertmanager "$@"
    """
    options = [f"--storage.path={folder}/data", "--cluster.listen-address="]
    command, environment = started(
        folder, program, *options, f"--web.listen-address={address}", **env
    )
    process = subprocess.Popen(["unshare", "--mount", *command], env=environment)
    try:
        wait_for(lambda: _is_healthy(f"http://{address}"), 20, "Alertmanager")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(10)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/healthy", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_an_alert_that_fires_comes_by_mail_and_to_the_webhook(tmp_path: Path) -> None:
    rules = yaml.safe_load((PROJECT / "deploy/prometheus/rules.yml").read_text(encoding="utf-8"))
    rule = rules["groups"][0]["rules"][0]
    alert = {
        "labels": {**rule["labels"], "alertname": rule["alert"], "instance": "api:6699"},
        "annotations": rule["annotations"],
    }
    with MailServer().listening() as server, receiving() as (url, messages):
        env = {**MAIL, **USER, "ALERT_SMARTHOST": f"127.0.0.1:{server.port}"}
        env |= {"ALERT_MAIL_TLS": "false", "ALERT_WEBHOOK_URL": url}
        with running(tmp_path, **env) as manager:
            asked = httpx.post(f"{manager}/api/v2/alerts", json=[alert], trust_env=False)
            assert asked.status_code == 200, asked.text
            wait_for(lambda: server.mails and messages, 20, "the mail and the webhook")
    assert server.logins == [(USER["ALERT_MAIL_USER"], USER["ALERT_MAIL_PASSWORD"])]
    mail = server.mails[0]
    assert mail["To"].replace(" ", "") == MAIL["ALERT_MAIL_TO"]
    assert mail["From"] == "ops@studio.example"
    assert re.search(r"FIRING:1.*RushesApiDown", mail["Subject"])
    assert len([line for line in server.addressed if line.startswith("RCPT")]) == 2
    [sent] = messages[0]["alerts"]
    assert (sent["status"], sent["labels"]["alertname"]) == ("firing", "RushesApiDown")
    assert sent["annotations"]["summary"] == "An API process does not answer"
