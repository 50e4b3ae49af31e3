"""The address of the console of this machine's server, with a link that signs in."""

from __future__ import annotations

import contextlib

from cli.processes.local_address import local_address
from shared.errors import RedisAway
from shared.redis.clients import connect
from shared.redis.console_links import ConsoleLinks
from shared.redis.licence_keys import KeyRecord, Keys
from shared.settings import Settings


def console_link(settings: Settings, redis_url: str) -> str:
    """A link for the first key that may do everything; without one the bare address."""
    address = settings.public_url or local_address(settings)
    with contextlib.suppress(RedisAway), connect(redis_url) as client:
        keys = Keys(client, settings.instance, settings.state_dir, settings.license_keys)
        for key in filter(_may_do_everything, keys.list()):
            return ConsoleLinks(client, settings.instance).make(key.id, address)[0]
    return address


def _may_do_everything(key: KeyRecord) -> bool:
    bounds = (key.scopes, key.roots, key.expires_at)
    return key.tier == "pro" and all(bound is None for bound in bounds)
