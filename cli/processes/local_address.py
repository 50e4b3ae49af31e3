"""Address at which the API of this machine's settings is reached from this machine."""

from __future__ import annotations

from shared.settings import Settings


def local_address(settings: Settings) -> str:
    """Address of the API, `http://HOST:PORT`; if it listens everywhere, that of loopback."""
    host = settings.host.strip("[]")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
