"""What a page loads over the network."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.support.console.editor import Editor

FILES = ("Document", "Script", "Stylesheet")


def first_view(editor: Editor, address: str = "") -> dict[str, int]:
    """Bytes, compressed and with headers, until the box can be used, by kind of resource.

    The kinds are those of Chromium's protocol: FILES, Fetch, Image and others.
    """
    page = editor.page
    page.goto("about:blank")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    kinds: dict[str, str] = {}
    weights: dict[str, int] = {}

    def answered(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def finished(event: dict[str, Any]) -> None:
        kind = kinds[event["requestId"]]
        weights[kind] = weights.get(kind, 0) + int(event["encodedDataLength"])

    network.on("Network.responseReceived", answered)
    network.on("Network.loadingFinished", finished)
    editor.open(address)
    expect(editor.box).to_be_visible()
    network.detach()
    return weights
