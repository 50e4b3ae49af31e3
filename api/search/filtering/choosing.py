"""What filters leave of what a visual search may show: files, and frames of them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from api.people.filtering import Person, frames_with
from api.people.filtering import unknown as unknown_people
from api.people.frame_filter import FrameFilter
from api.search.bodies import SearchFields
from api.search.filtering import resolving
from api.search.filtering.speaking import frames_while, frames_with_voice, speaker_choice, unheard
from api.search.services import SearchScope

NO_FILE = "No file passes all filters."


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which frames and which files may match (None: all), and who is unknown."""

    frames: FrameFilter | None = None
    files: set[str] | None = None  # their hashes
    unknown: tuple[str, ...] = ()
    no_frame: str = ""  # why frames are none, where they are

    @classmethod
    def of(cls, scope: SearchScope, body: SearchFields, warnings: list[str]) -> Chosen:
        """By checked filters. Blocks. `warnings` takes what could not be looked at."""
        files = resolving.files_left(scope, body.filters) if body.filters else None
        seen, unknown = _seen(scope, body)
        warnings.extend(unknown)
        heard: FrameFilter | None = None
        if files != set():
            heard, unheard_of = _heard(scope, body, files, warnings)
            unknown += unheard_of
        both = [one for one in (seen, heard) if one is not None]
        frames = functools.reduce(operator.and_, both) if both else None
        return cls(
            frames,
            files,
            tuple(unknown) if body.details else (),
            _no_frame(body, seen, heard),
        )

    def silence(self) -> list[str]:
        """Why nothing can match, if so."""
        if self.files is not None and not self.files:
            return [NO_FILE]
        if self.frames is not None and self.frames.is_empty:
            return [*self.unknown] or [self.no_frame]
        return []


def _seen(scope: SearchScope, body: SearchFields) -> tuple[FrameFilter | None, list[str]]:
    """Frames that show who is to be seen, and who of them is unknown."""
    if not body.people_filter:
        return None, []
    persons = [
        Person(asked.cluster_job_name, asked.person_name, asked.cluster_id)
        for asked in body.people_filter
    ]
    cache, people = scope.view().cache, scope.services.people
    seen = frames_with(people, cache, persons, body.people_filter_mode)
    return seen, unknown_people(people, cache, persons)


def _heard(
    scope: SearchScope, body: SearchFields, files: set[str] | None, warnings: list[str]
) -> tuple[FrameFilter | None, Sequence[str]]:
    """Frames while that is said, or they speak; with both, while they say that."""
    if body.speaker is None:
        if body.spoken is None:
            return None, ()
        return frames_while(scope, body.spoken, None, files, warnings), ()
    speaker = speaker_choice(scope, body.speaker)
    if body.spoken is None:
        heard = frames_with_voice(scope, speaker, files)
    else:
        heard = frames_while(scope, body.spoken, speaker, files, warnings)
    unknown = unheard(scope, body.speaker, speaker, files)
    warnings.extend(unknown)
    return heard, unknown


def _no_frame(body: SearchFields, seen: FrameFilter | None, heard: FrameFilter | None) -> str:
    """A sentence for people: why no frame has those who are to be seen, while that is heard."""
    if heard is not None and heard.is_empty:
        if body.speaker is None:
            return "That is not said in these files, as far as they are transcribed."
        says = "speaks" if body.spoken is None else "says that"
        return f"{body.speaker!r} never {says} in these files, as far as they are transcribed."
    who = "This person is not seen"
    if len(body.people_filter) > 1:
        is_all = body.people_filter_mode == "and"
        who = "These people are not seen together" if is_all else "None of these people is seen"
    is_seen = seen is not None and not seen.is_empty
    if not is_seen or heard is None:
        return f"{who}."
    if body.speaker is None:
        return f"{who} while that is said."
    says = "speaks" if body.spoken is None else "says that"
    return f"{who} while {body.speaker!r} {says}."
