"""Bodies of requests about licence keys; see api.http.bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.bodies import AbsolutePath, Keyed
from shared.rights import LONGEST_LABEL, KeyScope

_MOST_ROOTS = 100


class KeyBody(Keyed):
    """What a new key may do."""

    label: Annotated[
        str,
        Meta(
            max_length=LONGEST_LABEL,
            description="What people call it; left out: its number.",
            examples=["Edit 3"],
        ),
    ] = ""
    scopes: (
        Annotated[
            list[KeyScope],
            Meta(
                min_length=1,
                max_length=len(KeyScope),
                description="Parts of the API that it may use; left out: all of them.",
                examples=[["search", "export"]],
            ),
        ]
        | None
    ) = None
    roots: (
        Annotated[
            list[AbsolutePath],
            Meta(
                min_length=1,
                max_length=_MOST_ROOTS,
                description="Folders in which every path must lie that it names, cache folders "
                "too; left out: all that the server may use.",
                examples=[["/footage/show1"]],
            ),
        ]
        | None
    ) = None
    expires_at: (
        Annotated[
            float,
            Meta(
                ge=0,
                description="Unix seconds, from which on it is refused, at most 20 years ahead; "
                "left out: never.",
                examples=[1798761600.0],
            ),
        ]
        | None
    ) = None
