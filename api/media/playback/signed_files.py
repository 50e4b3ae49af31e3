"""What signed addresses of footage stand for: a file as it is now, while a key is valid."""

from __future__ import annotations

import os

from api.signed_addresses import Signed
from shared.errors import Missing


class SignedFile(Signed, frozen=True):
    """A media file in one state, and the licence key that may read it, which says where.

    `path`: our form; `size`: bytes; `modified_ns`: since 1970. With other content of the file, so
    what browsers have kept of it is not taken for what it is now.
    """

    path: str
    size: int
    modified_ns: int
    key_id: str

    def check(self, status: os.stat_result) -> None:
        """Raise Missing where the file has changed."""
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified_ns):
            raise Missing("The file has changed; ask for it again.")


class SignedOriginal(SignedFile, frozen=True):
    """A media file as it is. `media_type`: what it is served as."""

    media_type: str


class SignedPreview(SignedFile, frozen=True):
    """All segments of a preview. `seconds`: length of the file."""

    seconds: float
    has_picture: bool
    has_sound: bool
