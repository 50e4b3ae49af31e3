"""Options of a watch folder that requests, stored folders and answers have alike.

One that is added here can be asked for, is stored and answered, and is an option of `rushes watch`;
what becomes of it is the watcher's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.fields import option

Polling = Literal["auto", "always", "never"]
ImageSequences = Literal["skip", "stills"]


class FileGroup(StrEnum):
    """What clients may list files by."""

    PENDING = "pending"
    PROCESSED = "processed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"


WHAT, WHICH, WHEN = "What is analyzed", "Which files", "When"  # panels of the command line


class WatchOptions(Struct, frozen=True, kw_only=True):
    """How a folder is watched."""

    enabled: Annotated[bool, Meta(examples=[True]), option("--enable/--disable")] = True
    """False: nothing new is taken from it, all else is kept."""
    recursive: Annotated[bool, Meta(examples=[True]), option(panel=WHICH)] = True
    """Folders inside it too, however deep."""
    analyze_visual: Annotated[bool, Meta(examples=[True]), option("--visual/--no-visual", WHAT)] = (
        True
    )
    """The pictures of videos and stills."""
    analyze_speech: Annotated[bool, Meta(examples=[True]), option("--speech/--no-speech", WHAT)] = (
        False
    )
    """What is said in videos and sound files."""
    analyze_faces: Annotated[bool, Meta(examples=[False]), option("--faces/--no-faces", WHAT)] = (
        False
    )
    """Faces in videos and stills; needs cluster_job_name."""
    polling: Annotated[Polling, Meta(title="Polling", examples=["auto"]), option(panel=WHEN)] = (
        "auto"
    )
    """How new files are noticed: `auto` by events of the system where they work and by looking
    where they do not (network shares, bind mounts), `always` by looking, `never` by events alone. A
    periodic rescan comes on top in any case."""
    settle_seconds: Annotated[
        float, Meta(ge=0, le=3_600, examples=[5.0]), option("--settle", WHEN, metavar="SECONDS")
    ] = 5.0
    """A file is taken when its size and modification time have not changed for so long."""
    image_sequences: Annotated[
        ImageSequences, Meta(title="ImageSequences", examples=["skip"]), option(panel=WHICH)
    ] = "skip"
    """Of 24 or more numbered stills in one folder: `skip` lists them as one skipped item, `stills`
    analyzes each."""
