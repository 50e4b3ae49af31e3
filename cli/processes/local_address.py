"""Where the API of this machine's settings is reached from this machine."""

from __future__ import annotations

from shared.settings import Settings


def local_address(settings: Settings) -> str:
    """`http://HOST:PORT`; an API that listens everywhere is asked on loopback."""
    host = settings.host.strip("[]")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
