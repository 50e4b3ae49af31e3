"""The console behind nginx with TLS, at the root of a host and below a path of one."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Playwright, expect

from tests.support.console.chromium import chromium, chromium_path, window
from tests.support.console.editor import Editor
from tests.support.media.media import make_clip
from tests.support.private_redis import private_redis
from tests.support.stack import KEY, running_stack
from tests.support.system.namespaces import Machine, network
from tests.support.system.nginx import BELOW_A_PATH, SHIPPED, Nginx
from tests.support.waiting import wait_for

_PORT = 6699
_FRONTS = {"root": (SHIPPED, ""), "path": (BELOW_A_PATH, "/rushes")}


@dataclass(frozen=True)
class Site:
    """A machine with a proxy and an API for each form of the address, a desk, an analyzed file."""

    urls: dict[str, str]  # by the names of _FRONTS
    desk: Machine
    cache_dir: Path
    clip: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    clip, cache_dir = make_clip(folder / "clip.mp4", seconds=6), folder / "cache"
    with contextlib.ExitStack() as keep:
        *machines, desk = keep.enter_context(network(*_FRONTS, "desk"))
        redis = keep.enter_context(private_redis())
        urls = {}
        for machine in machines:
            shipped, path = _FRONTS[machine.name]
            nginx = Nginx.prepare(
                folder / f"nginx-{machine.name}", machine.address, shipped=shipped
            )
            url = urls[machine.name] = f"https://{machine.address}{path}"
            with machine.here():
                is_first = machine is machines[0]  # the workers serve both
                stack = keep.enter_context(
                    running_stack(folder / machine.name, redis.url, apis=0, query=0, analysis=0)
                )
                if is_first:
                    stack.start_worker("query")
                    stack.start_worker("analysis")
                client = stack.start_api(port=_PORT, RUSHES_PUBLIC_URL=url)
                if is_first:
                    stack.wait_ready(analysis=1, query=1)
                    client.analyzed(cache_dir, clip)
                keep.enter_context(nginx.running())
            with desk.here(), httpx.Client(verify=nginx.trust()) as asking:
                wait_for(lambda url=url, asking=asking: _is_healthy(asking, url), 10, "nginx")
        yield Site(urls, desk, cache_dir, clip)


def _is_healthy(asking: httpx.Client, url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return asking.get(f"{url}/api/v1/health").status_code == 200
    return False


@pytest.fixture(scope="module")
def browser(
    playwright: Playwright, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """A browser on the desk."""
    program = tmp_path_factory.mktemp("desk") / "chromium"
    program.write_text(
        f'#!/bin/sh\nexec {shlex.join(site.desk.entered())} {chromium_path()} "$@"\n'
    )
    program.chmod(0o755)
    with chromium(playwright, str(program)) as started:
        yield started


@pytest.mark.parametrize("form", _FRONTS)
def test_it_is_searched_played_and_live(browser: Browser, site: Site, form: str) -> None:
    url = site.urls[form]
    with window(browser, ignore_https_errors=True) as one:
        editor = Editor(one.page, url)
        editor.sign_in(KEY)
        expect(one.page.get_by_text("Live", exact=True)).to_be_visible()
        one.page.goto("about:blank")
        editor.open(f"#/search?dir={site.cache_dir}&like={site.clip}&second=2&least=any")
        hit = editor.wait_for_hit(site.clip.name)
        one.page.wait_for_function(
            "() => [...document.querySelectorAll('.card img')].some(one => one.naturalWidth > 0)"
        )
        hit.get_by_role("link").click()
        editor.wait_for_video("video && video.videoWidth > 0 && video.readyState >= 2")
        editor.player.get_by_role("button", name="Preview").click()
        editor.wait_for_video("video && video.videoWidth > 0 && video.readyState >= 2")
        assert one.foreign(url) == []
        assert one.complaints == []
