"""What the signed address of a picture stands for."""

from __future__ import annotations

from api.signed_addresses import Signed


class SignedFrame(Signed, frozen=True):
    """Stored frames of a file, [`first_second`, `end_second`), of which `second` is shown first.

    `roots`: those of the licence key that asked for it; None: all. `key_id`: of that key; empty in
    addresses that an earlier version signed.
    """

    cache_dir: str
    hash_str: str
    second: int
    first_second: int
    end_second: int
    roots: tuple[str, ...] | None
    key_id: str = ""
