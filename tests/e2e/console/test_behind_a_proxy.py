"""The console behind nginx with TLS, at the root of a host and below a path of one."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Playwright, expect

from tests.support.console.chromium import chromium, chromium_path, window
from tests.support.console.editor import Editor
from tests.support.media.media import make_clip
from tests.support.private_redis import PrivateRedis
from tests.support.stack import KEY, running_stack
from tests.support.system.namespaces import Machine, network
from tests.support.system.nginx import BELOW_A_PATH, SHIPPED, Nginx
from tests.support.waiting import wait_for

_PORT = 6699


@dataclass(frozen=True)
class Front:
    """A server with a proxy, a desk, and an analyzed file."""

    url: str
    desk: Machine
    cache_dir: Path
    clip: Path


@pytest.fixture(params=[(SHIPPED, ""), (BELOW_A_PATH, "/rushes")], ids=["root", "path"])
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Front]:
    shipped, path = request.param
    clip, cache_dir = make_clip(tmp_path / "clip.mp4", seconds=6), tmp_path / "cache"
    with contextlib.ExitStack() as keep:
        server, desk = keep.enter_context(network("server", "desk"))
        short = keep.enter_context(tempfile.TemporaryDirectory(prefix="rr-"))
        redis = PrivateRedis(Path(short))
        redis.start()
        keep.callback(redis.stop)
        nginx = Nginx.prepare(tmp_path / "nginx", server.address, shipped=shipped)
        url = f"https://{server.address}{path}"
        with server.here():
            stack = keep.enter_context(
                running_stack(tmp_path / "stack", redis.url, apis=0, query=0, analysis=0)
            )
            stack.start_worker("query")
            stack.start_worker("analysis")
            client = stack.start_api(port=_PORT, RUSHES_PUBLIC_URL=url)
            stack.wait_ready(analysis=1, query=1)
            client.analyzed(cache_dir, clip)
            keep.enter_context(nginx.running())
        with desk.here(), httpx.Client(verify=nginx.trust()) as asking:

            def answers() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    return asking.get(f"{url}/api/v1/health").status_code == 200
                return False

            wait_for(answers, 10, "nginx")
        yield Front(url, desk, cache_dir, clip)


def test_it_is_searched_played_and_live(
    playwright: Playwright, front: Front, tmp_path: Path
) -> None:
    program = tmp_path / "chromium"
    program.write_text(
        f'#!/bin/sh\nexec {shlex.join(front.desk.entered())} {chromium_path()} "$@"\n'
    )
    program.chmod(0o755)
    with (
        chromium(playwright, str(program)) as browser,
        window(browser, ignore_https_errors=True) as one,
    ):
        editor = Editor(one.page, front.url)
        editor.sign_in(KEY)
        expect(one.page.get_by_text("Live", exact=True)).to_be_visible()
        one.page.goto("about:blank")
        editor.open(f"#/search?dir={front.cache_dir}&like={front.clip}&second=2&least=any")
        hit = editor.wait_for_hit(front.clip.name)
        one.page.wait_for_function(
            "() => [...document.querySelectorAll('.card img')].some(one => one.naturalWidth > 0)"
        )
        hit.get_by_role("link").click()
        editor.wait_for_video("video && video.videoWidth > 0 && video.readyState >= 2")
        editor.player.get_by_role("button", name="Preview").click()
        editor.wait_for_video("video && video.videoWidth > 0 && video.readyState >= 2")
        assert one.foreign(front.url) == []
        assert one.complaints == []
