"""Clips to be cut out of media files: what travels to the export worker and back."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

ClipMode = Literal["auto", "copy", "encode"]
ClipCodec = Literal["h264", "hevc", "prores", "dnxhr"]
ClipAudio = Literal["all", "first", "none"]
OnExists = Literal["number", "skip", "error"]
OutputOnExists = Literal["number", "replace", "refuse"]  # of a file that is written as a whole
# Timelines and `rushes clips` hold a still of an empty range, which a match has, this long. A clip
# that is to be cut needs a range.
STILL_S = 5.0


class ClipSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Spec of an Item of an export Task: one clip. Paths are in the server's form.

    `start` and `end` are seconds of presented time (0: the first shown picture), or a timecode of
    the source, "HH:MM:SS:FF" or "HH:MM:SS;FF"; the range is half-open.
    """

    index: int  # in the request
    media_path: str
    client_path: str
    refused: str = ""  # why that path can be used by none: the clip fails with it
    start: float | str
    end: float | str
    name: str = ""  # without extension; "": made by `naming`
    naming: str = ""  # template of shared.exports.names; "": the usual one
    output_dir: str
    roots: tuple[str, ...] | None = None  # in which its paths must lie, of the licence key
    client_output_dir: str
    mode: ClipMode = "auto"
    codec: ClipCodec | None = None  # None: h264, or what keeps the depth of the source
    quality: int | None = None  # the encoder's own scale; None: its usual value
    container: str | None = None  # extension; None: the source's family
    audio: ClipAudio = "all"
    handle_seconds: float = 0.0
    on_exists: OnExists = "number"
    dry_run: bool = False  # plan it, write nothing


class ClipCode(StrEnum):
    """Why a clip was not exported."""

    MISSING_MEDIA = "missing_media"
    UNREADABLE = "unreadable"
    BAD_RANGE = "bad_range"
    NOT_COPYABLE = "not_copyable"  # mode "copy" cannot be honoured
    EXISTS = "exists"
    NOT_ALLOWED = "not_allowed"
    DISK_FULL = "disk_full"
    NOT_WRITABLE = "not_writable"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class ClipResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a clip: a file, or `error` and `code`. Paths are in the client's form."""

    index: int
    media_path: str
    output_path: str | None = None
    start_seconds: float | None = None  # with handles, as exported
    end_seconds: float | None = None
    frames: int | None = None
    method: Literal["copy", "encode"] | None = None
    start_timecode: str | None = None
    warnings: tuple[str, ...] = ()
    skipped: bool = False  # a file of that name was there and was left as it is
    error: str | None = None
    code: ClipCode | None = None
