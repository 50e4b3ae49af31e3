"""Media functions by path, wherever it leads: each opens the file for one call.

Product code opens a file inside the roots, once, and passes what is open.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from shared.domain import Probe
from shared.exports.clips import ClipSpec
from shared.media import HashCache, MediaType, open_media_file
from shared.media import hash_media as hash_of_opened
from shared.opening import OpenedFile
from shared.paths import Roots
from workers.export import cutting, planning
from workers.export.planning import ClipPlan
from workers.media import media_reader, stills
from workers.media.media_reader import MediaReader
from workers.media.pictures import Picture
from workers.media.probing import probe as probing
from workers.media.sound import sound_reader
from workers.media.sound.sound_reader import SoundReader
from workers.media.stills import StillPicture

PictureT = TypeVar("PictureT", bound=Picture)

ANYWHERE = Roots("RUSHES_MEDIA_ROOTS", None, Path("/nowhere"))


def opened(path: str | Path) -> OpenedFile:
    """To be closed, or used in `with`. Raises as `open_media_file` does."""
    return open_media_file(str(path), ANYWHERE)


def hash_media(path: str | Path) -> str:
    with opened(path) as file:
        return hash_of_opened(file)


def hash_of(cache: HashCache, path: str | Path) -> str:
    with opened(path) as file:
        return cache.hash_of(file)


def probe(path: str | Path, media_type: MediaType) -> Probe:
    with opened(path) as file:
        return probing.probe(file, media_type)


@contextmanager
def open_media(path: str | Path, media_type: MediaType) -> Iterator[MediaReader]:
    with opened(path) as file, media_reader.open_media(file, media_type) as reader:
        yield reader


@contextmanager
def open_sound(path: str | Path) -> Iterator[SoundReader]:
    with opened(path) as file, sound_reader.open_sound(file) as reader:
        yield reader


def grab_frame(path: str | Path, media_type: MediaType, seconds: float) -> Picture:
    """The file stays open for as long as there is the picture."""
    return _kept(path, lambda file: media_reader.grab_frame(file, media_type, seconds))


def open_still(path: str | Path) -> StillPicture:
    """The file stays open for as long as there is the picture."""
    return _kept(path, stills.open_still)


class PartTarget(Protocol):
    """Target of a clip: an open file that `path` reaches."""

    @property
    def path(self) -> str: ...


class Cut(NamedTuple):
    """A clip that was written, as its result says it."""

    start_seconds: float
    end_seconds: float
    frames: int | None
    method: str
    start_timecode: str | None
    warnings: tuple[str, ...]
    extension: str


def plan(spec: ClipSpec) -> ClipPlan:
    with opened(spec.media_path) as file:
        return planning.plan(spec, file)


def cut(
    spec: ClipSpec,
    part: PartTarget,
    checkpoint: Callable[[], None],
    report: Callable[[float], None],
    planned: ClipPlan | None = None,
) -> Cut:
    with opened(spec.media_path) as file:
        planned = planned or planning.plan(spec, file)
        clip = cutting.cut(planned, file, part.path, checkpoint, report)
    return Cut(
        float(clip.start),
        float(clip.end),
        clip.frames,
        planned.method,
        planned.start_timecode,
        clip.warnings,
        planned.extension,
    )


def _kept(path: str | Path, take: Callable[[OpenedFile], PictureT]) -> PictureT:
    with ExitStack() as undo:
        file = undo.enter_context(opened(path))
        picture = take(file)
        if isinstance(picture, StillPicture):
            weakref.finalize(picture, file.close)
            undo.pop_all()
    return picture
