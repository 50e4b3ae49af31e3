"""The files of deploy/nginx, as they are, before API processes, with clients on other machines.

rushes.conf stands before two of them, rushes-subpath.conf before one on another machine.
"""

from __future__ import annotations

import base64
import contextlib
import json
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
from tests.support.system.nginx import BELOW_A_PATH, SHIPPED, Nginx
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
    other: Machine  # for a server more
    path: str = ""

    @property
    def url(self) -> str:
        return f"https://{self.server.address}{self.path}"

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
        server, studio, *desks = keep.enter_context(network("server", "studio", *DESKS))
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
        site = Site(stack, nginx, server, desks, studio)
        with site.browser() as browser:
            wait_for(lambda: _answers(browser), 10, "nginx")
        yield site


@pytest.fixture(scope="module")
def studio(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Another machine of the same Redis, whose API is below a path of its nginx."""
    folder = tmp_path_factory.mktemp("studio")
    # The host has things of its own, too.
    files_of_the_host = "location ~* [.](js|json|css|png)$ { return 418; }"
    text = BELOW_A_PATH.read_text(encoding="utf-8")
    text = text.replace(
        "    location = /rushes {", f"    {files_of_the_host}\n    location = /rushes {{"
    )
    shipped = folder / BELOW_A_PATH.name
    shipped.write_text(text, encoding="utf-8")
    nginx = Nginx.prepare(folder / "nginx", site.other.address, shipped=shipped)
    with contextlib.ExitStack() as keep:
        stack = keep.enter_context(
            running_stack(folder / "stack", site.stack.redis_url, apis=0, query=0, analysis=0)
        )
        studio = Site(stack, nginx, site.other, site.desks, site.other, "/rushes")
        with site.other.here():
            stack.start_api(port=PORTS[0], RUSHES_PUBLIC_URL=studio.url)
            keep.enter_context(nginx.running())
        with studio.browser() as browser:
            wait_for(lambda: _answers(browser), 10, "nginx")
        yield studio


@pytest.fixture(params=["site", "studio"])
def front(request: pytest.FixtureRequest) -> Site:
    """Each of the two."""
    found: Site = request.getfixturevalue(request.param)
    return found


def _answers(browser: httpx.Client) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return browser.get("/api/v1/health").json() == {"status": "ok"}
    return False


def test_nginx_finds_nothing_wrong_with_the_file(front: Site) -> None:
    with front.server.here():
        assert "warn" not in front.nginx.check()


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
        assert browser.get("/").headers["content-encoding"] == "gzip"
        plain = httpx.get(f"http://{site.server.address}/api/v1/docs?a=b")
        assert (plain.status_code, plain.headers["location"]) == (
            308,
            f"{site.url}/api/v1/docs?a=b",
        )
        allowed = browser.get("/api/v1/health", headers={"Origin": "http://localhost:3000"})
        assert allowed.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_below_a_path_every_address_that_is_answered_is_that_of_the_path(studio: Site) -> None:
    with studio.browser() as browser:
        first = browser.get(studio.url, follow_redirects=True)
        assert (str(first.url), first.status_code) == (f"{studio.url}/", 200)
        for path in re.findall(r'(?:href|src)="([^"]+)"', first.text):
            assert browser.get(first.url.join(path)).status_code == 200, path
        start = browser.get("/api/v1/docs")
        links = set(re.findall(r'href="([^#"]+)"', start.text))
        links |= set(re.findall(r"\]\((\S+)\)", browser.get("/llms.txt").text))
        assert len(links) == 8
        for link in links:
            followed = start.url.join(link)
            assert str(followed).startswith(f"{studio.url}/"), link
            answer = browser.get(followed)
            is_built = not link.endswith("/docs/") or "Run scripts/docs" not in answer.text
            assert answer.status_code == (200 if is_built else 404), link
        document = browser.get("/api/v1/openapi.json").json()
        [server] = document["servers"]
        assert browser.get(server["url"] + "/health").json() == {"status": "ok"}
        assert "path `/rushes/socket.io/`" in document["info"]["description"]
        said = browser.get("/no/such").json()["message"]
        assert said.startswith("There is no /rushes/no/such. The API lies below ")
        assert f"see {studio.url}/api/v1/docs." in said
        said = browser.post("/api/v1/health").json()["message"]
        assert said.startswith("POST is not allowed on /rushes/api/v1/health;")
        outside = browser.get(f"https://{studio.server.address}/api/v1/health")
        assert outside.status_code == 404, "the rest of the host is not ours"
        outside = browser.get(f"https://{studio.server.address}/api/v1/openapi.json")
        assert outside.status_code == 418, "as the host says"


def test_below_a_path_a_task_is_followed_and_its_thumbnails_are_there(
    studio: Site, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "short.mp4", seconds=20, encoding=LONG)
    with (
        studio.browser() as browser,
        studio.watcher(0, "polling") as polling,
        studio.watcher(1, "websocket") as websocket,
    ):
        browser.headers["X-License-Key"] = "test-key"
        cache = {"cache_dir": str(tmp_path / "cache")}
        asked = {**cache, "visual_media_paths": [str(clip)]}
        task_id = browser.post("/api/v1/analyze", json=asked).json()["task_id"]
        for watcher in (polling, websocket):
            assert watcher.join(task_id)["task_id"] == task_id
        for watcher in (polling, websocket):
            assert watcher.until_final(task_id, 60)[-1]["status"] == "completed"
        assert browser.get(f"/api/v1/tasks/{task_id}").json()["status"] == "completed"
        wanted = {**cache, "requests": [{"media_path": str(clip), "time_seconds": 3}]}
        [found] = browser.post("/api/v1/thumbnails", json=wanted).json()["thumbnails"]
        assert base64.b64decode(found["thumbnail"]).startswith(b"\xff\xd8"), "a JPEG"


def test_pages_of_the_proxys_own_address_may_open_websockets_and_others_may_not(
    front: Site,
) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    own = f"https://{front.server.address}"
    for origin, status in [(own, 101), ("https://evil.example", 403)]:
        with (
            front.browser() as browser,
            browser.stream(
                "GET",
                "/socket.io/?EIO=4&transport=websocket",
                headers={**upgrade, "Origin": origin},
            ) as answer,
        ):
            assert answer.status_code == status


def test_a_browser_is_signed_in_behind_the_proxy_for_its_path_and_over_tls_alone(
    front: Site,
) -> None:
    own = {"Origin": f"https://{front.server.address}", "X-Rushes-Console": "1"}
    with front.browser() as browser:
        key = {"X-License-Key": "test-key"}
        link = browser.post("/api/v1/console/links", headers=key).json()["url"]
        address, token = link.split("/#link=")
        assert address == front.url
        answer = browser.post("/api/v1/console/sessions", headers=own, json={"link": token})
        words = answer.headers["set-cookie"].split("; ")
        assert {"Secure", "HttpOnly", "SameSite=Strict", f"Path={front.path or '/'}"} <= set(words)
        cookie = {"Cookie": words[0]}
        told = browser.get("/api/v1/console/session", headers=own)
        assert told.json()["label"] == "key 1"
    for origin, is_let_in in ((own["Origin"], True), ("https://evil.example", False)):
        headers = cookie | {"Origin": origin}
        with front.browser(1) as browser:
            opened = browser.get("/socket.io/?EIO=4&transport=polling", headers=headers).text
            polled = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(opened[1:])['sid']}"
            browser.post(polled, content="40")
            browser.get(polled)
            browser.post(polled, content='420["join","watch-folders"]')
            packets = ""
            while "430[" not in packets:  # the acknowledgement; the latest state may come before it
                packets += browser.get(polled).text
            assert ("Joined." in packets) is is_let_in


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6detrics", "/./metrics"])
def test_metrics_are_for_the_inside_only(front: Site, path: str) -> None:
    with front.server.here():
        assert httpx.get(f"http://127.0.0.1:{PORTS[0]}/metrics").status_code == 200
    with front.browser() as browser:
        answer = browser.send(httpx.Request("GET", httpx.URL(f"{front.url}{path}")))
    assert answer.status_code == 404
    assert answer.json()["message"] == "Metrics are served on the inside only."


def test_a_body_that_is_too_large_is_told_by_the_api_and_a_huge_one_by_nginx(front: Site) -> None:
    with front.browser() as browser:
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
