"""What is answered about people."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import Count, HashStr, Jpeg, Message, Timestamp

ClusterId = Annotated[
    str,
    Meta(
        description='Id of a cluster; kept when the faces are grouped anew. "-1": in no cluster.',
        examples=["418350733"],
    ),
]
PersonName = (
    Annotated[str, Meta(description="The name given to the cluster; null: none.", examples=["Ada"])]
    | None
)


EditId = Annotated[str, Meta(examples=["000000000012-9f3a01c7"])]


VoiceCount = Annotated[
    int, Meta(ge=0, description="Voices, each a speaker of one file, if any.", examples=[4])
]
VoiceSeconds = Annotated[
    float, Meta(ge=0, description="How long these voices speak.", examples=[412.5])
]


class ClusterItem(Struct, kw_only=True, omit_defaults=True):
    """A cluster: the faces of one person, and the voices."""

    cluster_id: ClusterId
    name: PersonName
    face_count: Count
    seconds: Annotated[int, Meta(ge=0, examples=[734])] | UnsetType = UNSET
    """Screen time, with `details`: seconds of films and sound in which a face of it is seen."""
    stills: Annotated[int, Meta(ge=0, examples=[12])] | UnsetType = UNSET
    """Pictures that show it, with `details`."""
    files: Annotated[int, Meta(ge=0, examples=[31])] | UnsetType = UNSET
    """Media files that show it, with `details`."""
    voice_count: VoiceCount | UnsetType = UNSET
    voice_seconds: VoiceSeconds | UnsetType = UNSET


Clusters = Annotated[
    list[ClusterItem],
    Meta(
        description="Largest first, equal ones by id. Those without faces are left out; with "
        "`voices`, those that have voices follow, who speaks longest first. cluster_id "
        '"-1", the faces in no cluster, stands last.'
    ),
]


class ClusterJob(Struct, kw_only=True, omit_defaults=True):
    """A collection. Before its first grouping it has no clusters and counts no faces."""

    cluster_job_name: Annotated[str, Meta(examples=["Season 1"])]
    """Its name."""
    total_faces: Count
    eps: Annotated[float, Meta(examples=[0.48])]
    """It was grouped with this."""
    min_samples: Annotated[int, Meta(examples=[5])]
    """It was grouped with this."""
    clusters: Clusters
    last_edit_id: EditId | UnsetType = UNSET
    """The newest entry of /faces/edits, with `details`; empty: none. Send it as `known_edit_id`
    with what is decided by this answer."""


class ClusterJobs(Struct, kw_only=True):
    """By name."""

    cluster_jobs: list[ClusterJob]
    """The collections."""


class FaceItem(Struct, kw_only=True):
    """A face. What cannot be read any more is null."""

    face_id: Annotated[str, Meta(examples=["9ae0daaf81f5b2c3-67-7ff5c1"])]
    """Names the file, the second and the place in the picture."""
    cluster_id: ClusterId
    name: PersonName
    image: Annotated[Jpeg, Meta(examples=["/9j/4AAQSkZJRg=="])] | None
    """Bare base64 JPEG of the face and a little around it, cut from the full-size picture; longest
    side at most 256 px."""
    media_path: Annotated[str, Meta(examples=["/footage/day1/A001.mov"])] | None
    """Where the file was seen: the oldest place that opens, else the oldest; null: nowhere."""
    hash_str: HashStr
    frame_idx: Annotated[str, Meta(examples=["67"])]
    """Index on the grid of one frame per second, digits."""
    timestamp: Timestamp
    bbox: Annotated[list[float], Meta(examples=[[0.412, 0.183, 0.075, 0.133]])] | None
    """[x, y, width, height] as parts (0 to 1) of the upright picture."""
    detection_score: Annotated[float, Meta(examples=[0.97])] | None
    """How sure the detector was."""


class Samples(Struct, kw_only=True):
    """A few faces of each cluster."""

    samples: dict[str, list[FaceItem]]
    """By cluster_id as asked for: the clearest and most different faces, best first."""


class FacePage(Struct, kw_only=True):
    """A part of a list of faces."""

    faces: list[FaceItem]
    """By path of the file, then by time, then from left to right."""
    total: Annotated[int, Meta(ge=0, examples=[12])]
    """Faces in the whole list."""
    limit: Annotated[int, Meta(examples=[500])]
    """As asked for."""
    offset: Annotated[int, Meta(examples=[0])]
    """As asked for."""
    has_more: bool
    """Faces follow after these."""


class NamesAnswer(Struct, kw_only=True, omit_defaults=True):
    """What the clusters are called now."""

    updated: Annotated[int, Meta(ge=0, examples=[1])]
    """Clusters that were named."""
    changes: Annotated[dict[str, str], Meta(examples=[{"418350733": "Ada"}])]
    """Name by cluster_id as asked for; empty: taken away."""
    edit_id: EditId | UnsetType = UNSET
    """The edit that was made; only where known_edit_id was given."""


class ModifyAnswer(Struct, kw_only=True, omit_defaults=True):
    """What was done, and the clusters as they are now."""

    merged: Annotated[int, Meta(ge=0, examples=[1])]
    """Clusters that became a part of another."""
    moved: Annotated[int, Meta(ge=0, examples=[2])]
    """Faces that were moved."""
    moved_voices: Annotated[int, Meta(ge=0, examples=[1])] | UnsetType = UNSET
    """Voices that were moved, if any."""
    clusters: Clusters
    new_cluster_ids: Annotated[list[str], Meta(examples=[["1804289383"]])]
    """Of the moves to a new cluster, in request order."""
    edit_id: EditId | UnsetType = UNSET
    """The edit that was made; only where known_edit_id was given."""


class NamedCluster(Struct, kw_only=True):
    """A name given by an edit."""

    cluster_id: ClusterId
    name: Annotated[str, Meta(examples=["Ada"])]
    """Empty: taken away."""


class DoneMerge(Struct, kw_only=True):
    """A merge made by an edit."""

    cluster_ids: Annotated[list[str], Meta(examples=[["77031420"]])]
    """What was merged."""
    target_cluster_id: ClusterId


class DoneMove(Struct, kw_only=True, omit_defaults=True):
    """A move made by an edit."""

    face_ids: Annotated[list[str], Meta(examples=[["9ae0daaf81f5b2c3-67-7ff5c1"]])]
    """What was moved; with `brief`, none is listed."""
    target_cluster_id: ClusterId
    is_new: bool
    """The cluster was made by this move."""
    face_count: Annotated[int, Meta(ge=0, examples=[500])] | UnsetType = UNSET
    """Faces that were moved, with `brief`."""
    voice_ids: (
        Annotated[list[str], Meta(examples=[["9ae0daaf81f5b2c3-voice-1f2e3d4c"]])] | UnsetType
    ) = UNSET
    """Voices that were moved; left out where none was, and with `brief`."""
    voice_count: Annotated[int, Meta(ge=0, examples=[2])] | UnsetType = UNSET
    """Voices that were moved, with `brief`; left out where none was."""


class DoneParting(Struct, kw_only=True):
    """Two clusters that somebody said are two people."""

    cluster_ids: Annotated[list[str], Meta(examples=[["418350733", "77031420"]])]
    """The two."""


class EditItem(Struct, kw_only=True, omit_defaults=True):
    """An edit: what somebody did by hand, or a recluster with `clear_names`."""

    edit_id: Annotated[str, Meta(examples=["000000000012-9f3a01c7"])]
    """Go back to it with /faces/edits/undo."""
    at: Annotated[float, Meta(examples=[1764028800.0])]
    """Unix seconds."""
    kind: Annotated[str, Meta(examples=["modify"])]
    """`names`, `modify`, `clear_names` or `undo`."""
    assignments: list[NamedCluster]
    """Names given."""
    merges: list[DoneMerge]
    """Clusters made one."""
    moves: list[DoneMove]
    """Faces and voices moved."""
    apart: (
        Annotated[list[DoneParting], Meta(examples=[[{"cluster_ids": ["418350733", "77031420"]}]])]
        | UnsetType
    ) = UNSET
    """Clusters told apart; left out where none were."""
    undone_to: Annotated[str, Meta(examples=["000000000011-1b2c3d4e"])] | None
    """Of an undo: the edit it went back to; empty: before the first."""
    applies: Annotated[bool, Meta(examples=[True])]
    """It is in force: neither undone nor about what is gone."""
    reason: Annotated[str, Meta(examples=["undone"])] | None
    """Why it is not; null when it is."""


class Edits(Struct, kw_only=True):
    """In the order in which they were made, the newest last."""

    edits: list[EditItem]
    """All edits of the collection, or the newest `limit`."""


class PersonFound(Struct, kw_only=True):
    """Where an enrolled person is in one collection."""

    cluster_job_name: Annotated[str, Meta(examples=["Season 1"])]
    """The collection."""
    cluster_ids: Annotated[list[str], Meta(examples=[["418350733"]])]
    """Clusters of this name."""
    face_count: Count


class EnrolledPerson(Struct, kw_only=True):
    """What is known of the person now, and where it is found."""

    message: Message
    name: Annotated[str, Meta(examples=["Ada"])]
    """What the person is called."""
    references: Annotated[int, Meta(ge=1, examples=[2])]
    """Photos that the person is known by, earlier ones too."""
    models: Annotated[list[str], Meta(examples=[["dlib-resnet"]])]
    """Face models that know the person."""
    collections: list[PersonFound]
    """Collections in which the person is found."""


class VocabularyAnswer(Struct, kw_only=True):
    """The words of a collection."""

    message: Message
    vocabulary: Annotated[list[str], Meta(examples=[["Siobhan Gallagher"]])]
    """In their order."""


class UndoAnswer(Struct, kw_only=True):
    """The clusters as they are now."""

    message: Message
    edit_id: Annotated[str, Meta(examples=["000000000013-5f6a7b8c"])]
    """The undo itself, an edit too: go back to the one before it to redo."""
    clusters: Clusters


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


class NamedIn(Struct, kw_only=True, omit_defaults=True):
    """Where a person is seen, or heard: clusters of that name in one collection."""

    cache_dir: Annotated[str, Meta(examples=["/footage/.rushes"])]
    """The cache folder, in the client's form."""
    cluster_job_name: Annotated[str, Meta(examples=["Season 1"])]
    """The collection."""
    cluster_ids: Annotated[list[str], Meta(examples=[["418350733"]])]
    """Clusters of this name."""
    face_count: Count
    voice_count: VoiceCount | UnsetType = UNSET


class NamedPerson(Struct, kw_only=True):
    """A name, however its letters are written, and where it is given."""

    name: Annotated[str, Meta(examples=["Ada"])]
    """As it was enrolled, else as the collection with most faces has it."""
    is_enrolled: Annotated[bool, Meta(examples=[True])]
    """Known by photos in one of the cache folders."""
    references: Annotated[int, Meta(ge=0, examples=[2])]
    """Photos that the person is known by."""
    collections: list[NamedIn]
    """Where the person is seen or heard, by folder and name; may be empty."""


class NamedPeople(Struct, kw_only=True):
    """By name."""

    people: list[NamedPerson]
    """Everybody who is named by hand or enrolled."""
