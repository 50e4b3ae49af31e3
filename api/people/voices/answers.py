"""What is answered about voices."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import HashStr
from api.people.answers import ClusterId, PersonName

VoiceId = Annotated[
    str,
    Meta(
        description="Names the file and who speaks in it; kept when the file is analyzed anew.",
        examples=["9ae0daaf81f5b2c3-voice-1f2e3d4c"],
    ),
]
SpeakerLabel = Annotated[
    str, Meta(description="As transcripts of the file call who speaks.", examples=["S1"])
]
SpokenSeconds = Annotated[
    float, Meta(ge=0, description="How long it speaks there.", examples=[81.4])
]


class Excerpt(Struct, kw_only=True):
    """A part of a file in which one voice is heard."""

    start_seconds: Annotated[float, Meta(ge=0, examples=[12.5])]
    """Where it begins."""
    end_seconds: Annotated[float, Meta(ge=0, examples=[19.0])]
    """Where it ends."""


class VoiceItem(Struct, kw_only=True):
    """Somebody who speaks in one file."""

    voice_id: VoiceId
    media_path: Annotated[str | None, Meta(examples=["/footage/day1/A001.mov"])]
    """Where the file was seen: the oldest place that opens, else the oldest; null: nowhere."""
    hash_str: HashStr
    speaker: SpeakerLabel
    seconds: SpokenSeconds
    excerpt: Excerpt
    """The longest turn of which nobody doubts whose it is."""
    text: Annotated[str | None, Meta(examples=["We are rolling. Quiet, please."])]
    """The first words of the excerpt; null where they cannot be read."""


class VoicePage(Struct, kw_only=True, omit_defaults=True):
    """A part of a list of voices."""

    voices: list[VoiceItem]
    """Those that speak longest first."""
    next: Annotated[str, Meta(examples=["9ae0daaf81f5b2c3-voice-1f2e3d4c"])] | UnsetType = UNSET
    """Send it as `after` for what follows; left out: nothing does."""


class FileSpeaker(Struct, kw_only=True):
    """Somebody who speaks in the file. Null ids: the collection does not have the voice."""

    speaker: SpeakerLabel
    voice_id: VoiceId | None
    cluster_id: ClusterId | None
    name: PersonName
    seconds: SpokenSeconds


class FileSpeakers(Struct, kw_only=True):
    """Who speaks in one file."""

    speakers: list[FileSpeaker]
    """By first appearance; none where speakers were not told apart, or nobody speaks."""


class ProposalItem(Struct, kw_only=True):
    """A face and a voice that may be one person."""

    face_cluster_id: ClusterId
    face_name: PersonName
    voice_cluster_id: ClusterId
    voice_name: PersonName
    seconds_together: Annotated[int, Meta(ge=0, examples=[64])]
    """Seconds in which the voice speaks and the face is seen."""
    seconds_spoken: Annotated[int, Meta(ge=0, examples=[81])]
    """Seconds in which the voice speaks, in files with faces."""
    share: Annotated[float, Meta(ge=0, le=1, examples=[0.79])]
    """The part of these that is together."""
    media_paths: Annotated[list[str], Meta(examples=[["/footage/day1/A001.mov"]])]
    """Files in which they are together longest, at most five."""


class Proposals(Struct, kw_only=True):
    """Faces and voices that may be one person."""

    proposals: list[ProposalItem]
    """The surest first, at most 100."""
