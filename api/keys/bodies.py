"""Bodies of requests about licence keys; see api.http.bodies."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.http.bodies import AbsolutePath, Keyed
from shared.rights import LONGEST_LABEL, KeyScope

_MOST_ROOTS = 100


class KeyBody(Keyed):
    """What a new key may do."""

    label: Annotated[str, Meta(max_length=LONGEST_LABEL, examples=["Edit 3"])] = ""
    """What people call it; left out: its number."""
    scopes: (
        Annotated[
            list[KeyScope],
            Meta(min_length=1, max_length=len(KeyScope), examples=[["search", "export"]]),
        ]
        | None
    ) = None
    """Parts of the API that it may use; left out: all of them."""
    roots: (
        Annotated[
            list[AbsolutePath],
            Meta(min_length=1, max_length=_MOST_ROOTS, examples=[["/footage/show1"]]),
        ]
        | None
    ) = None
    """Folders in which every path must lie that it names, cache folders too; left out: all that the
    server may use."""
    expires_at: Annotated[float, Meta(ge=0, examples=[1798761600.0])] | None = None
    """Unix seconds, from which on it is refused, at most 20 years ahead; left out: never."""
