"""One message on its way to one receiver, signed as Standard Webhooks have it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from anyio import CapacityLimiter, to_thread
from standardwebhooks import Webhook as Signer

from shared.errors import BadInput
from shared.webhooks.events import Message
from shared.webhooks.subscriptions import Target, Webhook, checked_url, resolved

if TYPE_CHECKING:
    import httpx

_STEP_S = 10.0  # each of connecting, sending and waiting for the answer's head
_WITHIN_S = 20.0  # all of it, with looking up the host
_LOOKUPS = 8  # at once: a resolver that hangs takes no thread of requests


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Why a message was not received; `is_away`: others would not be either, for now."""

    reason: str
    is_away: bool = False


class Deliverer:
    """Sends messages; `close` it at the end. Made where there is a webhook: httpx takes a while."""

    def __init__(self, allowed_hosts: tuple[str, ...]) -> None:
        import httpx  # late: an API without webhooks needs none of it

        self._allowed = allowed_hosts
        # Nothing of the environment: no proxy may come between the checked address and us.
        self._client = httpx.AsyncClient(
            timeout=_STEP_S, follow_redirects=False, trust_env=False, max_redirects=0
        )
        self._no_answer = (httpx.HTTPError, OSError, TimeoutError)
        self._lookups = CapacityLimiter(_LOOKUPS)

    async def close(self) -> None:
        await self._client.aclose()

    async def deliver(self, hook: Webhook, message: Message) -> Undelivered | None:
        """Send a message once; why it was not received, None where it was."""
        try:
            async with asyncio.timeout(_WITHIN_S):
                checked = checked_url(hook.url, self._allowed)
                target = await to_thread.run_sync(
                    resolved, checked, limiter=self._lookups, abandon_on_cancel=True
                )
                status = await self._post(target, hook.secret, message)
        except BadInput as error:
            return Undelivered(error.message, is_away=True)
        except self._no_answer as error:
            return Undelivered(f"{type(error).__name__}: {error}".rstrip(": "), is_away=True)
        except ValueError as error:  # a host or a secret that cannot be written as it must be
            return Undelivered(f"It cannot be sent: {error}.", is_away=True)
        if 300 <= status < 400:
            return Undelivered(f"It answered {status}: redirects are not followed.")
        return None if status < 300 else Undelivered(f"It answered {status}.")

    async def _post(self, target: Target, secret: str, message: Message) -> int:
        """The status of the answer, whose body is not read. Connects to the checked address."""
        address = f"[{target.address}]" if ":" in target.address else target.address
        request: httpx.Request = self._client.build_request(
            "POST",
            f"{target.scheme}://{address}:{target.port}{target.path}",
            content=_body(message),
            headers=_headers(target, secret, message),
            extensions={"sni_hostname": target.host},
        )
        answer = await self._client.send(request, stream=True)
        await answer.aclose()
        return answer.status_code


def _body(message: Message) -> bytes:
    at = datetime.fromtimestamp(message.timestamp, UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode({"type": message.type, "timestamp": at, "data": message.data})


def _headers(target: Target, secret: str, message: Message) -> dict[str, str]:
    now = datetime.now(UTC).replace(microsecond=0)
    signed = Signer(secret).sign(message.id, now, _body(message).decode())
    usual = {"http": 80, "https": 443}[target.scheme]
    host = f"[{target.host}]" if ":" in target.host else target.host
    return {
        "host": host if target.port == usual else f"{host}:{target.port}",
        "content-type": "application/json",
        "user-agent": "Rushes",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signed,
    }
