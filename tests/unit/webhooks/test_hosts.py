"""Which hosts and addresses webhooks are sent to."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from shared.errors import BadInput
from shared.webhooks.subscriptions import checked_url, resolved


def leading_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Every name has these addresses."""

    def found(*_words: Any, **_more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (one, 80)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def address_of(url: str, *allowed: str) -> str:
    return resolved(checked_url(url, allowed)).address


@pytest.mark.parametrize(
    ("host", "addresses", "address"),
    [
        ("mam.example", ["93.184.216.34"], "93.184.216.34"),
        ("mam.example", ["192.168.1.5"], "192.168.1.5"),
        ("mam.example", ["169.254.169.254", "10.0.0.7"], "10.0.0.7"),
        ("localhost", ["::1", "127.0.0.1"], "::1"),
        ("127.0.0.1", ["127.0.0.1"], "127.0.0.1"),
    ],
)
def test_the_first_address_that_a_receiver_may_have_is_taken(
    monkeypatch: pytest.MonkeyPatch, host: str, addresses: list[str], address: str
) -> None:
    leading_to(monkeypatch, *addresses)
    assert address_of(f"http://{host}/", host) == address


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "::"]
)
def test_a_name_that_leads_to_no_receiver_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    leading_to(monkeypatch, address)
    with pytest.raises(BadInput, match="leads to"):
        address_of("https://mam.example/", "mam.example")


def test_hosts_are_matched_whole_and_below_a_star() -> None:
    allowed = ("mam.example", "*.studio.example")
    for url in ("http://mam.example", "https://MAM.example.:8443/x?y", "http://a.b.studio.example"):
        checked_url(url, allowed)
    for host in ("studio.example", "xmam.example", "mam.example.evil", "astudio.example"):
        with pytest.raises(BadInput, match="RUSHES_WEBHOOK_HOSTS"):
            checked_url(f"http://{host}/", allowed)
