"""Endpoints of the contract whose parts are not built yet: the key is checked, then 501."""

from __future__ import annotations

from typing import Any, NoReturn

from api.bodies import LaterBody
from api.endpoint import Call, Endpoint
from api.errors import ErrorBody
from shared.errors import NotBuilt


async def not_built(_call: Call[Any]) -> NoReturn:
    """501, never a silent nothing."""
    raise NotBuilt("This endpoint is documented, but its part of Rushes is not built yet.")


_LATER = (
    ("POST", "/export/premiere-xml", "Exports", "A timeline for an editing system"),
)

ENDPOINTS = tuple(
    Endpoint(
        method,
        path,
        not_built,
        tag=tag,
        summary=summary,
        body=LaterBody if method in ("POST", "PUT") else None,
        answer=ErrorBody,
        is_built=False,
    )
    for method, path, tag, summary in _LATER
)
