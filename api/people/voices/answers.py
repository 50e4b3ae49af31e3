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

    start_seconds: Annotated[float, Meta(ge=0, description="Where it begins.", examples=[12.5])]
    end_seconds: Annotated[float, Meta(ge=0, description="Where it ends.", examples=[19.0])]


class VoiceItem(Struct, kw_only=True):
    """Somebody who speaks in one file."""

    voice_id: VoiceId
    media_path: Annotated[
        str | None,
        Meta(
            description="Where the file was seen: the oldest place that opens, else the oldest; "
            "null: nowhere.",
            examples=["/footage/day1/A001.mov"],
        ),
    ]
    hash_str: HashStr
    speaker: SpeakerLabel
    seconds: SpokenSeconds
    excerpt: Annotated[
        Excerpt, Meta(description="The longest turn of which nobody doubts whose it is.")
    ]
    text: Annotated[
        str | None,
        Meta(
            description="The first words of the excerpt; null where they cannot be read.",
            examples=["We are rolling. Quiet, please."],
        ),
    ]


class VoicePage(Struct, kw_only=True, omit_defaults=True):
    """A part of a list of voices."""

    voices: Annotated[list[VoiceItem], Meta(description="Those that speak longest first.")]
    next: (
        Annotated[
            str,
            Meta(
                description="Send it as `after` for what follows; left out: nothing does.",
                examples=["9ae0daaf81f5b2c3-voice-1f2e3d4c"],
            ),
        ]
        | UnsetType
    ) = UNSET


class FileSpeaker(Struct, kw_only=True):
    """Somebody who speaks in the file. Null ids: the collection does not have the voice."""

    speaker: SpeakerLabel
    voice_id: VoiceId | None
    cluster_id: ClusterId | None
    name: PersonName
    seconds: SpokenSeconds


class FileSpeakers(Struct, kw_only=True):
    """Who speaks in one file."""

    speakers: Annotated[
        list[FileSpeaker],
        Meta(
            description="By first appearance; none where speakers were not told apart, or nobody "
            "speaks."
        ),
    ]


class ProposalItem(Struct, kw_only=True):
    """A face and a voice that may be one person."""

    face_cluster_id: ClusterId
    face_name: PersonName
    voice_cluster_id: ClusterId
    voice_name: PersonName
    seconds_together: Annotated[
        int,
        Meta(
            ge=0,
            description="Seconds in which the voice speaks and the face is seen.",
            examples=[64],
        ),
    ]
    seconds_spoken: Annotated[
        int,
        Meta(
            ge=0,
            description="Seconds in which the voice speaks, in files with faces.",
            examples=[81],
        ),
    ]
    share: Annotated[
        float,
        Meta(ge=0, le=1, description="The part of these that is together.", examples=[0.79]),
    ]
    media_paths: Annotated[
        list[str],
        Meta(
            description="Files in which they are together longest, at most five.",
            examples=[["/footage/day1/A001.mov"]],
        ),
    ]


class Proposals(Struct, kw_only=True):
    """Faces and voices that may be one person."""

    proposals: Annotated[list[ProposalItem], Meta(description="The surest first, at most 100.")]
