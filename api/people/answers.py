"""What is answered about people."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from api.http.answers import Count, HashStr, Jpeg, Message, Timestamp

ClusterId = Annotated[
    str,
    Meta(
        description='Id of a cluster; kept when the faces are grouped anew. "-1": in no cluster.',
        examples=["3"],
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
    seconds: (
        Annotated[
            int,
            Meta(
                ge=0,
                description="Screen time, with `details`: seconds of films and sound in which a "
                "face of it is seen.",
                examples=[734],
            ),
        ]
        | UnsetType
    ) = UNSET
    stills: (
        Annotated[
            int,
            Meta(ge=0, description="Pictures that show it, with `details`.", examples=[12]),
        ]
        | UnsetType
    ) = UNSET
    files: (
        Annotated[
            int,
            Meta(ge=0, description="Media files that show it, with `details`.", examples=[31]),
        ]
        | UnsetType
    ) = UNSET
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

    cluster_job_name: Annotated[str, Meta(description="Its name.", examples=["Season 1"])]
    total_faces: Count
    eps: Annotated[float, Meta(description="It was grouped with this.", examples=[0.48])]
    min_samples: Annotated[int, Meta(description="It was grouped with this.", examples=[5])]
    clusters: Clusters
    last_edit_id: (
        Annotated[
            EditId,
            Meta(
                description="The newest entry of /faces/edits, with `details`; empty: none. Send "
                "it as `known_edit_id` with what is decided by this answer."
            ),
        ]
        | UnsetType
    ) = UNSET


class ClusterJobs(Struct, kw_only=True):
    """By name."""

    cluster_jobs: Annotated[list[ClusterJob], Meta(description="The collections.")]


class FaceItem(Struct, kw_only=True):
    """A face. What cannot be read any more is null."""

    face_id: Annotated[
        str,
        Meta(
            description="Names the file, the second and the place in the picture.",
            examples=["9ae0daaf81f5b2c3-67-7ff5c1"],
        ),
    ]
    cluster_id: ClusterId
    name: PersonName
    image: (
        Annotated[
            Jpeg,
            Meta(
                description="Bare base64 JPEG of the face and a little around it, cut from the "
                "full-size picture; longest side at most 256 px.",
                examples=["/9j/4AAQSkZJRg=="],
            ),
        ]
        | None
    )
    media_path: (
        Annotated[
            str,
            Meta(
                description="Where the file was seen: the oldest place that opens, else the "
                "oldest; null: nowhere.",
                examples=["/footage/day1/A001.mov"],
            ),
        ]
        | None
    )
    hash_str: HashStr
    frame_idx: Annotated[
        str,
        Meta(description="Index on the grid of one frame per second, digits.", examples=["67"]),
    ]
    timestamp: Timestamp
    bbox: (
        Annotated[
            list[float],
            Meta(
                description="[x, y, width, height] as parts (0 to 1) of the upright picture.",
                examples=[[0.412, 0.183, 0.075, 0.133]],
            ),
        ]
        | None
    )
    detection_score: (
        Annotated[float, Meta(description="How sure the detector was.", examples=[0.97])] | None
    )


class Samples(Struct, kw_only=True):
    """A few faces of each cluster."""

    samples: Annotated[
        dict[str, list[FaceItem]],
        Meta(
            description="By cluster_id as asked for: the clearest and most different faces, best "
            "first."
        ),
    ]


class FacePage(Struct, kw_only=True):
    """A part of a list of faces."""

    faces: Annotated[
        list[FaceItem],
        Meta(description="By path of the file, then by time, then from left to right."),
    ]
    total: Annotated[int, Meta(ge=0, description="Faces in the whole list.", examples=[12])]
    limit: Annotated[int, Meta(description="As asked for.", examples=[500])]
    offset: Annotated[int, Meta(description="As asked for.", examples=[0])]
    has_more: Annotated[bool, Meta(description="Faces follow after these.")]


class NamesAnswer(Struct, kw_only=True, omit_defaults=True):
    """What the clusters are called now."""

    updated: Annotated[int, Meta(ge=0, description="Clusters that were named.", examples=[1])]
    changes: Annotated[
        dict[str, str],
        Meta(
            description="Name by cluster_id as asked for; empty: taken away.",
            examples=[{"3": "Ada"}],
        ),
    ]
    edit_id: (
        Annotated[
            EditId, Meta(description="The edit that was made; only where known_edit_id was given.")
        ]
        | UnsetType
    ) = UNSET


class ModifyAnswer(Struct, kw_only=True, omit_defaults=True):
    """What was done, and the clusters as they are now."""

    merged: Annotated[
        int, Meta(ge=0, description="Clusters that became a part of another.", examples=[1])
    ]
    moved: Annotated[int, Meta(ge=0, description="Faces that were moved.", examples=[2])]
    moved_voices: (
        Annotated[int, Meta(ge=0, description="Voices that were moved, if any.", examples=[1])]
        | UnsetType
    ) = UNSET
    clusters: Clusters
    new_cluster_ids: Annotated[
        list[str],
        Meta(
            description="Of the moves to a new cluster, in request order.",
            examples=[["1804289383"]],
        ),
    ]
    edit_id: (
        Annotated[
            EditId, Meta(description="The edit that was made; only where known_edit_id was given.")
        ]
        | UnsetType
    ) = UNSET


class NamedCluster(Struct, kw_only=True):
    """A name given by an edit."""

    cluster_id: ClusterId
    name: Annotated[str, Meta(description="Empty: taken away.", examples=["Ada"])]


class DoneMerge(Struct, kw_only=True):
    """A merge made by an edit."""

    cluster_ids: Annotated[list[str], Meta(description="What was merged.", examples=[["7", "9"]])]
    target_cluster_id: ClusterId


class DoneMove(Struct, kw_only=True, omit_defaults=True):
    """A move made by an edit."""

    face_ids: Annotated[
        list[str],
        Meta(
            description="What was moved; with `brief`, none is listed.",
            examples=[["9ae0daaf81f5b2c3-67-7ff5c1"]],
        ),
    ]
    target_cluster_id: ClusterId
    is_new: Annotated[bool, Meta(description="The cluster was made by this move.")]
    face_count: (
        Annotated[
            int, Meta(ge=0, description="Faces that were moved, with `brief`.", examples=[500])
        ]
        | UnsetType
    ) = UNSET
    voice_ids: (
        Annotated[
            list[str],
            Meta(
                description="Voices that were moved; left out where none was, and with `brief`.",
                examples=[["9ae0daaf81f5b2c3-voice-1f2e3d4c"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    voice_count: (
        Annotated[
            int,
            Meta(
                ge=0,
                description="Voices that were moved, with `brief`; left out where none was.",
                examples=[2],
            ),
        ]
        | UnsetType
    ) = UNSET


class DoneParting(Struct, kw_only=True):
    """Two clusters that somebody said are two people."""

    cluster_ids: Annotated[list[str], Meta(description="The two.", examples=[["7", "9"]])]


class EditItem(Struct, kw_only=True, omit_defaults=True):
    """An edit: what somebody did by hand, or a recluster with `clear_names`."""

    edit_id: Annotated[
        str,
        Meta(
            description="Go back to it with /faces/edits/undo.", examples=["000000000012-9f3a01c7"]
        ),
    ]
    at: Annotated[float, Meta(description="Unix seconds.", examples=[1764028800.0])]
    kind: Annotated[
        str, Meta(description="`names`, `modify`, `clear_names` or `undo`.", examples=["modify"])
    ]
    assignments: Annotated[list[NamedCluster], Meta(description="Names given.")]
    merges: Annotated[list[DoneMerge], Meta(description="Clusters made one.")]
    moves: Annotated[list[DoneMove], Meta(description="Faces and voices moved.")]
    apart: (
        Annotated[
            list[DoneParting],
            Meta(
                description="Clusters told apart; left out where none were.",
                examples=[[{"cluster_ids": ["7", "9"]}]],
            ),
        ]
        | UnsetType
    ) = UNSET
    undone_to: (
        Annotated[
            str,
            Meta(
                description="Of an undo: the edit it went back to; empty: before the first.",
                examples=["000000000011-1b2c3d4e"],
            ),
        ]
        | None
    )
    applies: Annotated[
        bool,
        Meta(description="It is in force: neither undone nor about what is gone.", examples=[True]),
    ]
    reason: (
        Annotated[str, Meta(description="Why it is not; null when it is.", examples=["undone"])]
        | None
    )


class Edits(Struct, kw_only=True):
    """In the order in which they were made, the newest last."""

    edits: Annotated[
        list[EditItem], Meta(description="All edits of the collection, or the newest `limit`.")
    ]


class PersonFound(Struct, kw_only=True):
    """Where an enrolled person is in one collection."""

    cluster_job_name: Annotated[str, Meta(description="The collection.", examples=["Season 1"])]
    cluster_ids: Annotated[
        list[str], Meta(description="Clusters of this name.", examples=[["418350733"]])
    ]
    face_count: Count


class EnrolledPerson(Struct, kw_only=True):
    """What is known of the person now, and where it is found."""

    message: Message
    name: Annotated[str, Meta(description="What the person is called.", examples=["Ada"])]
    references: Annotated[
        int,
        Meta(
            ge=1, description="Photos that the person is known by, earlier ones too.", examples=[2]
        ),
    ]
    models: Annotated[
        list[str],
        Meta(description="Face models that know the person.", examples=[["dlib-resnet"]]),
    ]
    collections: Annotated[
        list[PersonFound], Meta(description="Collections in which the person is found.")
    ]


class VocabularyAnswer(Struct, kw_only=True):
    """The words of a collection."""

    message: Message
    vocabulary: Annotated[
        list[str], Meta(description="In their order.", examples=[["Siobhan Gallagher"]])
    ]


class UndoAnswer(Struct, kw_only=True):
    """The clusters as they are now."""

    message: Message
    edit_id: Annotated[
        str,
        Meta(
            description="The undo itself, an edit too: go back to the one before it to redo.",
            examples=["000000000013-5f6a7b8c"],
        ),
    ]
    clusters: Clusters
