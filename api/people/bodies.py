"""Request bodies about people; see api.http.bodies for what holds of all bodies."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from api.http.bodies import (
    LONGEST_IMAGE,
    LONGEST_TEXT,
    LONGEST_WORD,
    CacheDir,
    Keyed,
    MediaPath,
    Text,
    Vocabulary,
    Word,
)
from shared.fields import option
from shared.models.specs import DEFAULT_EPS, DEFAULT_MIN_SAMPLES

MOST_FACES = 2_000  # of one page
MOST_SAMPLES = 16  # of one cluster
MOST_PICTURES = 20  # of one request: each takes up to a second or two
MOST_NAMED = 100_000  # clusters in one list of an edit

CollectionName = Annotated[
    Text, Meta(description="The collection; 1 to 200 characters.", examples=["Season 1"])
]
ClusterId = Annotated[
    Annotated[Word, Meta(description="As /faces/clusters gives it.", examples=["418350733"])]
    | Annotated[int, Meta(description="The same as a number.", examples=[3])],
    Meta(
        description='Id of a cluster; "-1" stands for the faces in no cluster. A number is read '
        "too. The id of a cluster that was merged into another means that other one.",
        examples=["418350733"],
    ),
]
SomeClusters = Annotated[
    list[ClusterId], Meta(max_length=MOST_NAMED, examples=[["418350733", "77031420"]])
]
OtherClusters = Annotated[
    list[ClusterId], Meta(min_length=1, max_length=MOST_NAMED, examples=[["77031420"]])
]


KnownEdit = (
    Annotated[
        str,
        Meta(
            max_length=LONGEST_WORD,
            description="The newest edit that the caller knows of: `last_edit_id` of "
            "/faces/clusters with `details`, or `edit_id` of an answer; empty: none. Where a later "
            "edit touched the same clusters or faces (of an undo: where there is any), nothing is "
            "done, and a 409 says what was done meanwhile. Null or left out: later edits are no "
            "hindrance.",
            examples=["000000000012-9f3a01c7"],
        ),
    ]
    | None
)


class OfCollection(Keyed, kw_only=True):
    """What every request about one collection names."""

    cache_dir: CacheDir
    cluster_job_name: CollectionName


class OfEdit(OfCollection, kw_only=True):
    """What every request that changes people by hand may say."""

    known_edit_id: KnownEdit = None


class ToldClusters(OfEdit, kw_only=True):
    """How the clusters are to be told that are answered."""

    voices: bool = False
    """Tell voices in `clusters` of the answer, too, as /faces/clusters with `voices` does."""


class SamplesBody(OfCollection, kw_only=True):
    """Which clusters to show by a few faces."""

    cluster_ids: SomeClusters | None = None
    """The clusters. Left out: all of them, without "-1"."""
    samples_per_cluster: Annotated[int, Meta(ge=1, le=MOST_SAMPLES, examples=[2])] = 2
    """Faces of each cluster."""


class FacesBody(OfCollection, kw_only=True):
    """Which faces to list, and which part of the list."""

    cluster_id: Annotated[ClusterId, Meta(examples=["418350733"])] | None = None
    """One cluster; "-1": the faces in no cluster. With neither this nor `cluster_ids`: all
    faces."""
    cluster_ids: SomeClusters | None = None
    """Several clusters; overrides `cluster_id`. An empty list: no faces."""
    limit: Annotated[int, Meta(ge=1, le=MOST_FACES, examples=[500])] = 500
    """At most this many faces."""
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000, examples=[0])] = 0
    """How many faces of the list to leave out."""


class Assignment(Struct, kw_only=True):
    """A cluster and its name."""

    NOT_AUDITED: ClassVar = ("name",)

    cluster_id: ClusterId
    name: Annotated[str, Meta(max_length=LONGEST_TEXT, examples=["Ada"])]
    """1 to 200 characters; several clusters may share one. Empty: the name is taken away."""


class NamesBody(OfEdit, kw_only=True):
    """Names to give."""

    assignments: Annotated[list[Assignment], Meta(min_length=1, max_length=MOST_NAMED)]
    """The names."""


class ReclusterBody(OfCollection, kw_only=True):
    """How to group the faces of a collection anew."""

    eps: Annotated[float, Meta(gt=0, le=2, examples=[DEFAULT_EPS]), option()] = DEFAULT_EPS
    """How unlike faces of one person may be. Lower groups more strictly: fewer mixed people, more
    split ones. One scale for all face models: the default is the best point of each."""
    min_samples: Annotated[
        int, Meta(ge=1, le=1_000_000, examples=[DEFAULT_MIN_SAMPLES]), option()
    ] = DEFAULT_MIN_SAMPLES
    """Clear faces that make a person; fewer are in no cluster. Ask for 2 where people have few
    stills."""
    auto_detect_params: Annotated[bool, option("--auto")] = False
    """Derive eps and min_samples from the faces; the given ones do not count."""
    clear_names: Annotated[bool, option()] = False
    """Take away all names that were given by hand. Merges and moves stay, and enrolled people are
    known as before."""


class EnrollBody(Keyed, kw_only=True):
    """Who is to be known, and by which photos: of files, or sent along; at least one."""

    # What files are called tells names, too.
    NOT_AUDITED: ClassVar = ("name", "pictures", "images")

    cache_dir: CacheDir
    name: Annotated[Text, Meta(examples=["Ada"])]
    """What the person is called; 1 to 200 characters."""
    pictures: Annotated[
        list[MediaPath],
        Meta(max_length=MOST_PICTURES, examples=[["/footage/ada-1.jpg", "/footage/ada-2.jpg"]]),
    ] = []
    """Photos on which this person is seen alone, clear and from the front. Several make it surer;
    at most 20 with `images`."""
    images: Annotated[
        list[
            Annotated[
                str, Meta(min_length=1, max_length=LONGEST_IMAGE, examples=["/9j/4AAQSkZJRg=="])
            ]
        ],
        Meta(max_length=MOST_PICTURES, examples=[["/9j/4AAQSkZJRg=="]]),
    ] = []
    """Such photos themselves, base64: JPEG, PNG, WebP and what else is read here."""


class VocabularyBody(OfCollection, kw_only=True):
    """The words of a collection; left out: they are only told."""

    NOT_AUDITED: ClassVar = ("vocabulary",)  # names of people

    vocabulary: Vocabulary | None = None


class UndoBody(ToldClusters, kw_only=True):
    """How far to go back."""

    edit_id: (
        Annotated[str, Meta(max_length=LONGEST_WORD, examples=["000000000012-9f3a01c7"])] | None
    ) = None
    """Back to how things were right after this edit, one of /faces/edits. Empty: before the first
    one. Null or left out: the last edit in force is undone."""


# Faces, or voices, in one request: checking them takes some 0.2 s, of 100,000.
MOST_MOVED = 20_000
_SOME = Meta(min_length=1, max_length=MOST_MOVED)
A_FACE, A_VOICE = "9ae0daaf81f5b2c3-67-7ff5c1", "9ae0daaf81f5b2c3-voice-1f2e3d4c"
FaceId = Annotated[Word, Meta(examples=[A_FACE])]
VoiceId = Annotated[Word, Meta(examples=[A_VOICE])]


class Merge(Struct, kw_only=True):
    """Clusters that are the same person."""

    cluster_ids: OtherClusters
    """Clusters that become a part of the target."""
    target_cluster_id: Annotated[ClusterId, Meta(examples=["418350733"])]
    """The cluster that stays. It keeps its name, or inherits theirs if it has none."""


class Parting(Struct, kw_only=True):
    """Two clusters that are two people."""

    cluster_ids: Annotated[
        list[ClusterId], Meta(min_length=2, max_length=2, examples=[["418350733", "1590043"]])
    ]
    """A face and a voice, mostly, that /faces/proposals took for one person. They are not proposed
    again; a merge may still make them one."""


class Move(Struct, kw_only=True):
    """Faces and voices that belong elsewhere.

    `face_ids`, `voice_ids` or both; or all of `cluster_ids`, without these two.
    """

    face_ids: Annotated[list[FaceId], _SOME, Meta(examples=[[A_FACE]])] | None = None
    """The faces; at most 20,000 in all moves of a request."""
    voice_ids: Annotated[list[VoiceId], _SOME, Meta(examples=[[A_VOICE]])] | None = None
    """The voices, as /faces/clusters/voices gives them; at most 20,000 in all moves of a
    request."""
    cluster_ids: OtherClusters | None = None
    """All faces and voices of these clusters, however many, as they are after the merges of the
    request. With `target_cluster_id` "-1": they are no people."""
    face_count: Annotated[int, Meta(ge=0, examples=[40])] | None = None
    """With `cluster_ids`: how many faces the caller saw in them. Where they are others by now, as
    after a grouping anew, which is no edit, nothing is done: 409. Null or left out: however
    many."""
    voice_count: Annotated[int, Meta(ge=0, examples=[4])] | None = None
    """With `cluster_ids`: how many voices the caller saw in them, as `face_count`."""
    target_cluster_id: Annotated[ClusterId, Meta(examples=["418350733"])] | None = None
    """The cluster they belong to. Null or left out: a new one. "-1": none, they are nobody."""


class ModifyBody(ToldClusters, kw_only=True):
    """Merges, moves and people apart, done all together or not at all, in this order."""

    merges: Annotated[list[Merge], Meta(max_length=MOST_NAMED)] = []
    """Clusters to make one."""
    moves: Annotated[list[Move], Meta(max_length=MOST_NAMED)] = []
    """Faces and voices to move."""
    apart: Annotated[list[Parting], Meta(max_length=MOST_NAMED)] = []
    """Clusters that are not one person."""


MOST_VOICES = 200  # of one page: each may need a transcript of its own


class VoicesBody(OfCollection, kw_only=True):
    """Whose voices to list, and which part of the list."""

    cluster_id: Annotated[ClusterId, Meta(examples=["418350733"])]
    """Whose voices; "-1": those that were said to be nobody's."""
    limit: Annotated[int, Meta(ge=1, le=MOST_VOICES, examples=[50])] = 50
    """At most this many."""
    after: VoiceId | None = None
    """`next` of the page before this one. Null or left out: the first page."""


class FileVoicesBody(OfCollection, kw_only=True):
    """Who speaks in one file."""

    media_path: MediaPath
