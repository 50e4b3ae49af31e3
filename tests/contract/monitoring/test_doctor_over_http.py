"""GET /doctor: `rushes doctor` in a process of its own, once at a time, that ends with the API."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.private_redis import private_redis
from tests.support.stack import Stack
from tests.support.waiting import wait_for

_SECRET = "quite-secret-password"


def doctors() -> list[int]:
    """Processes in which a doctor looks, of whatever API."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"cli.commands.doctor" in words:
            found.append(int(path.parent.name))
    return found


def of(api: int) -> list[int]:
    """Those that this API has started."""
    found = []
    for process in doctors():
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == api:
            found.append(process)
    return found


def test_it_says_what_the_command_says_once_for_all_who_ask_and_no_secrets(
    tmp_path: Path,
) -> None:
    with private_redis() as redis:
        stack = Stack(tmp_path, redis.url.replace("unix://", f"unix://:{_SECRET}@"))
        try:
            client = stack.start_api()
            api = stack.processes["api-0"].popen.pid
            with ThreadPoolExecutor(4) as threads:
                asked = [threads.submit(client.get, "/doctor") for _ in range(4)]
                assert len(wait_for(lambda: of(api), 10, "a doctor")) == 1
                answers = [each.result() for each in asked]
            assert {answer.status_code for answer in answers} == {200}
            assert len({answer.json()["checked_at"] for answer in answers}) == 1, "one run for all"
            report = answers[0].json()
            assert report["host"] == os.uname().nodename
            subjects = [finding["subject"] for finding in report["findings"]]
            assert {"settings", "Python", "Redis"} <= set(subjects)
            levels = {finding["level"] for finding in report["findings"]}
            assert report["ok"] == ("problem" not in levels)
            assert _SECRET not in answers[0].text
            kept = client.get("/doctor?fresh=").json()
            assert kept["age_seconds"] >= report["age_seconds"]
            assert kept | {"age_seconds": 0} == report | {"age_seconds": 0}, "kept for some seconds"
            refused = client.get("/doctor?fresh=maybe")
            assert refused.status_code == 400
            assert refused.json()["message"] == "fresh must be true or false, not 'maybe'."
            with ThreadPoolExecutor(1) as threads:
                asked_anew = threads.submit(client.get, "/doctor?fresh=true")
                [looking] = wait_for(lambda: of(api), 10, "a doctor that looks anew")
                os.kill(api, signal.SIGKILL)
                wait_for(lambda: looking not in doctors(), 5, "its end with the API")
                assert asked_anew.exception() is not None
        finally:
            stack.stop()
