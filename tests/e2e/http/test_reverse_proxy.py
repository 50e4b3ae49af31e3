"""deploy/nginx/rushes.conf, as it is, before two API processes, with clients on other machines."""

from __future__ import annotations

import contextlib
import re
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from socketio.exceptions import SocketIOError

from tests.support.media.media import Encoding, make_clip
from tests.support.private_redis import PrivateRedis
from tests.support.socketio_client import Watcher
from tests.support.stack import Stack, running_stack
from tests.support.system.namespaces import Machine, network
from tests.support.system.nginx import SHIPPED, Nginx
from tests.support.waiting import wait_for

PORTS = (6699, 6700)
LONG = Encoding(fps=2, gop=4)
DESKS = ("desk-1", "desk-2", "desk-3", "desk-4")


@dataclass
class Site:
    stack: Stack
    nginx: Nginx
    server: Machine
    desks: list[Machine]

    @property
    def url(self) -> str:
        return f"https://{self.server.address}"

    @contextlib.contextmanager
    def browser(self, desk: int = 0) -> Iterator[httpx.Client]:
        """An HTTP client on a desk."""
        with (
            self.desks[desk].here(),
            httpx.Client(base_url=self.url, verify=self.nginx.trust(), timeout=30) as client,
        ):
            yield client

    @contextlib.contextmanager
    def watcher(self, desk: int, transport: str) -> Iterator[Watcher]:
        certificate = self.nginx.certificate
        watcher = Watcher(self.url, transports=[transport], certificate=certificate)
        with self.desks[desk].here(), watcher:
            yield watcher


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with contextlib.ExitStack() as keep:
        server, *desks = keep.enter_context(network("server", *DESKS))
        short = keep.enter_context(tempfile.TemporaryDirectory(prefix="rr-"))
        redis = PrivateRedis(Path(short))
        redis.start()
        keep.callback(redis.stop)
        nginx = Nginx.prepare(folder / "nginx", server.address)
        with server.here():
            stack = keep.enter_context(
                running_stack(folder / "stack", redis.url, apis=0, query=0, analysis=0)
            )
            stack.start_worker("analysis")
            for port in PORTS:
                stack.start_api(port=port)
            stack.wait_ready(analysis=1, query=0)
            keep.enter_context(nginx.running())
        site = Site(stack, nginx, server, desks)
        with site.browser() as browser:
            wait_for(lambda: _answers(browser), 10, "nginx")
        yield site


def _answers(browser: httpx.Client) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return browser.get("/api/v1/health").json() == {"status": "ok"}
    return False


def test_nginx_finds_nothing_wrong_with_the_file(site: Site) -> None:
    with site.server.here():
        assert "warn" not in site.nginx.check()


def test_polling_and_websocket_clients_get_all_progress_of_a_task_to_its_end(
    site: Site, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "long.mp4", seconds=90, encoding=LONG)
    with contextlib.ExitStack() as keep:
        watchers = [
            keep.enter_context(site.watcher(desk, transport))
            for desk in range(len(DESKS))
            for transport in ("polling", "websocket")
        ]
        with site.browser() as browser:
            answer = browser.post(
                "/api/v1/analyze",
                headers={"X-License-Key": "test-key"},
                json={"cache_dir": str(tmp_path / "cache"), "visual_media_paths": [str(clip)]},
            )
        task_id = answer.json()["task_id"]
        for watcher in watchers:
            assert watcher.join(task_id)["task_id"] == task_id
        for watcher in watchers:
            events = watcher.until_final(task_id, 60)
            percents = [event["overall_progress"] for event in events]
            assert percents == sorted(percents)
            assert len(set(percents)) > 2, "it was told on the way, too"
            assert [e["status"] for e in events].count("completed") == 1
    taken: dict[str, set[str]] = defaultdict(set)
    for client, upstream, path in site.nginx.requests():
        if path == "/socket.io/":
            taken[client].add(upstream)
    assert set(taken) == {desk.address for desk in site.desks}
    assert all(len(upstreams) == 1 for upstreams in taken.values()), taken
    assert len(set.union(*taken.values())) == len(PORTS), "the clients are spread"


@contextlib.contextmanager
def listening(address: str) -> Iterator[None]:
    """Something that answers there, if only that it cannot."""
    with HTTPServer((address, PORTS[0]), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_each_client_stays_at_one_of_the_addresses_of_a_service_name(
    site: Site, tmp_path: Path
) -> None:
    """So deploy/compose.nginx.yml writes the file."""
    shipped = tmp_path / "rushes.conf"
    text = SHIPPED.read_text(encoding="utf-8")
    shipped.write_text(re.sub(r"server 127[.]0[.]0[.]1:\d+;", "server api:6699;", text))
    proxy, *desks = site.desks
    addresses = ("127.0.0.1", "127.0.0.2")
    hosts = "".join(f"{address} api\n" for address in addresses)
    nginx = Nginx.prepare(tmp_path / "nginx", proxy.address, shipped=shipped, hosts=hosts)
    with contextlib.ExitStack() as keep:
        keep.enter_context(proxy.here())
        for address in addresses:
            keep.enter_context(listening(address))
        keep.enter_context(nginx.running())
        taken: dict[str, set[str]] = defaultdict(set)
        url = f"https://{proxy.address}/socket.io/"
        for desk in desks:
            with desk.here(), httpx.Client(verify=nginx.trust(), trust_env=False) as client:
                wait_for(partial(_status, client, url), 10, "nginx")
                for _ in range(4):
                    assert _status(client, url) == 501
        for client_address, upstream, _ in nginx.requests():
            taken[client_address].add(upstream)
    assert set(taken) == {desk.address for desk in desks}
    assert all(len(upstreams) == 1 for upstreams in taken.values()), taken


def _status(client: httpx.Client, url: str) -> int | None:
    with contextlib.suppress(httpx.TransportError):
        return client.get(url).status_code
    return None


def test_answers_are_compressed_and_addresses_in_them_are_those_of_the_proxy(site: Site) -> None:
    with site.browser() as browser:
        page = browser.get("/api/v1/openapi.json", headers={"Accept-Encoding": "gzip"})
        assert page.headers["content-encoding"] == "gzip"
        assert page.json()["openapi"]
        moved = browser.get("/")
        assert moved.headers["location"] == "/api/v1/docs"
        plain = httpx.get(f"http://{site.server.address}/api/v1/docs?a=b")
        assert (plain.status_code, plain.headers["location"]) == (
            308,
            f"{site.url}/api/v1/docs?a=b",
        )
        allowed = browser.get("/api/v1/health", headers={"Origin": "http://localhost:3000"})
        assert allowed.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_pages_of_the_proxys_own_address_may_open_websockets_and_others_may_not(
    site: Site,
) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for origin, status in [(site.url, 101), ("https://evil.example", 403)]:
        with (
            site.browser() as browser,
            browser.stream(
                "GET",
                "/socket.io/?EIO=4&transport=websocket",
                headers={**upgrade, "Origin": origin},
            ) as answer,
        ):
            assert answer.status_code == status


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6detrics", "/./metrics"])
def test_metrics_are_for_the_inside_only(site: Site, path: str) -> None:
    with site.server.here():
        assert httpx.get(f"http://127.0.0.1:{PORTS[0]}/metrics").status_code == 200
    with site.browser() as browser:
        answer = browser.send(httpx.Request("GET", httpx.URL(f"{site.url}{path}")))
    assert answer.status_code == 404
    assert answer.json()["message"] == "Metrics are served on the inside only."


def test_a_body_that_is_too_large_is_told_by_the_api_and_a_huge_one_by_nginx(site: Site) -> None:
    with site.browser() as browser:
        for mebibytes, word in [(64.5, "RUSHES_MAX_BODY_MB"), (66, "in parts")]:
            answer = browser.post(
                "/api/v1/analyze",
                headers={"X-License-Key": "test-key"},
                content=b" " * int(mebibytes * (1 << 20)),
            )
            assert answer.status_code == 413
            assert answer.json()["error"] == "Request too large"
            assert word in answer.json()["message"]


def test_one_api_process_is_enough_and_without_any_it_says_so(site: Site) -> None:
    processes = [site.stack.processes[name] for name in ("api-0", "api-1")]
    with site.browser() as browser, contextlib.ExitStack() as keep:
        watchers = [
            keep.enter_context(site.watcher(desk, transport))
            for desk in range(len(DESKS))
            for transport in ("polling", "websocket")
        ]
        processes[0].kill()
        processes[0].popen.wait(10)
        for _ in range(4):
            assert browser.get("/api/v1/health").status_code == 200
        for watcher in watchers:
            wait_for(partial(_is_heard, watcher), 10, "the client to come back")
        keep.close()
        processes[1].end()
        answer = browser.get("/api/v1/health")
        assert (answer.status_code, answer.json()["error"]) == (503, "Unavailable")
        assert answer.headers["retry-after"] == "5"


def _is_heard(watcher: Watcher) -> bool:
    with contextlib.suppress(SocketIOError):
        return "error" in watcher.join("0" * 32)
    return False
