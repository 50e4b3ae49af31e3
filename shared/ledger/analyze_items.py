"""Makes Items that workers share out of the files of an analyze request."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from shared.domain import AnalyzeSpec, FileSpec, ProgressType
from shared.ledger.records import NewItem
from shared.media import MediaType, media_type_of

STILLS_PER_ITEM = 64
_STILLS_WORTH_A_BATCH = 16
_SHARES = 4  # Items that even a short list of stills is cut into, so that workers share it

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """A file of a request: path in the client's form and in ours, code of its language if given."""

    client_path: str
    path: str
    language: str | None = None
    refused: str = ""  # why its path can be used by none


def works(
    visual: Iterable[Asked], speech: Iterable[Asked], faces: Iterable[Asked] = ()
) -> list[FileSpec]:
    """The files of a request, each once, with all that is wanted of it.

    An unknown extension counts as a video: decoding decides, and says why it fails. The languages
    of a file that is asked for twice must not differ; one that is given counts.
    """
    found: dict[str, FileSpec] = {}
    parts = (
        (ProgressType.VIDEO, visual),
        (ProgressType.AUDIO, speech),
        (ProgressType.FACES, faces),
    )
    for kind, files in parts:
        for file in files:
            known = found.get(file.path)
            if known is None:
                media_type = media_type_of(file.path) or MediaType.VIDEO
                known = FileSpec(
                    file.path, file.client_path, media_type, wants=(), refused=file.refused
                )
            found[file.path] = msgspec.structs.replace(
                known,
                wants=tuple(dict.fromkeys((*known.wants, kind))),
                language=file.language or known.language,
            )
    return list(found.values())


def analyze_items(files: Sequence[FileSpec], common: AnalyzeSpec) -> list[NewItem]:
    """One Item a video or sound file; stills in batches that are even, large enough and shared.

    `common` holds what all Items share; a model is named to those only that need it, the
    collection to all as soon as one needs it.
    """
    if not any(ProgressType.FACES in file.wants for file in files):
        common = msgspec.structs.replace(common, collection="")
    stills = [file for file in files if file.media_type is MediaType.IMAGE]
    groups = [(file,) for file in files if file.media_type is not MediaType.IMAGE]
    return [
        NewItem.analyze(_spec(common, tuple(group))) for group in (*groups, *_even_groups(stills))
    ]


def _spec(common: AnalyzeSpec, files: tuple[FileSpec, ...]) -> AnalyzeSpec:
    wanted = {kind for file in files for kind in file.wants}
    return msgspec.structs.replace(
        common,
        files=files,
        visual_model=common.visual_model if ProgressType.VIDEO in wanted else "",
        speech_model=common.speech_model if ProgressType.AUDIO in wanted else "",
        vocabulary=common.vocabulary if ProgressType.AUDIO in wanted else (),
        people_of=common.people_of if ProgressType.AUDIO in wanted else "",
        face_model=common.face_model if ProgressType.FACES in wanted else "",
    )


def _even_groups(stills: Sequence[T]) -> list[Sequence[T]]:
    if not stills:
        return []
    size = min(STILLS_PER_ITEM, max(_STILLS_WORTH_A_BATCH, math.ceil(len(stills) / _SHARES)))
    count = math.ceil(len(stills) / size)
    borders = [round(n * len(stills) / count) for n in range(count + 1)]
    return [stills[start:end] for start, end in itertools.pairwise(borders)]
