"""What the API asks of a query worker, what it is answered, and where both lie in Redis.

A request's text expires with its deadline, so that nobody works for a caller who has gone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.domain import Probe
from shared.errors import RushesError
from shared.redis.clients import key_prefix

BLOCK_S = 1.0  # of one blocking pop, on either side


class Lane(StrEnum):
    """A queue with worker threads of its own. Whoever asks chooses it by how long it may take."""

    EMBED = "embed"  # texts: milliseconds, and somebody is typing
    GRAB = "grab"  # what a picture must be decoded for first
    PROBE = "probe"
    FACES = "faces"  # seconds, and the first time a model is loaded
    PREVIEW = "preview"  # seconds, of all cores that are free


def lane_key(instance: str, lane: Lane) -> str:
    """The list of ids of requests that wait."""
    return f"{key_prefix(instance)}asks:{lane}"


def request_key(instance: str, request_id: str) -> str:
    """The request itself."""
    return f"{key_prefix(instance)}ask:{request_id}"


def withdrawn_key(instance: str, request_id: str) -> str:
    """There for a while once nobody waits for the answer any more."""
    return f"{key_prefix(instance)}ask-withdrawn:{request_id}"


def replies_key(instance: str, client_id: str) -> str:
    """The list of replies to one API process."""
    return f"{key_prefix(instance)}answers:{client_id}"


SEGMENT_S = 4  # of a preview

# From the API. Questions are pure, so that each may be asked twice.
ReplyT = TypeVar("ReplyT", covariant=True)


class Asking(msgspec.Struct, Generic[ReplyT], frozen=True):
    """A question that is answered with a ReplyT."""


class EmbedTexts(Asking["Embedded"], frozen=True, kw_only=True, tag="embed_texts"):
    """Asks for the vectors of texts; answered with Embedded, a row each."""

    model: str
    texts: tuple[str, ...]


class EmbedSentences(Asking["Embedded"], frozen=True, kw_only=True, tag="embed_sentences"):
    """Asks for rows by which sentences that mean the same are near; answered with Embedded."""

    model: str
    sentences: tuple[str, ...]


class EmbedPicture(Asking["Embedded"], frozen=True, kw_only=True, tag="embed_picture"):
    """Asks for the vector of an encoded picture; answered with Embedded, one row."""

    model: str
    image: bytes = msgspec.field(name="image_b64")


class EmbedFrame(Asking["Embedded"], frozen=True, kw_only=True, tag="embed_frame"):
    """Asks for the vector of the frame shown at a time; answered with Embedded, one row."""

    model: str
    path: str
    seconds: float = 0.0  # a still has no other
    roots: tuple[str, ...] | None = None  # in which it must lie, of the licence key that asks


class GrabFrame(Asking["Grabbed"], frozen=True, kw_only=True, tag="grab_frame"):
    """Asks for the frame shown at a time; answered with Grabbed."""

    path: str
    seconds: float
    long_side: int  # pixels
    roots: tuple[str, ...] | None = None  # in which it must lie, of the licence key that asks


class GrabFrames(Asking["GrabbedFrames"], frozen=True, kw_only=True, tag="grab_frames"):
    """Asks for the first frame of each second of a stretch; answered with GrabbedFrames."""

    path: str
    # The first one, and the one before which it ends.
    seconds: tuple[int, int]
    long_side: int  # pixels
    roots: tuple[str, ...] | None = None  # in which it must lie, of the licence key that asks


class FindCuts(Asking["FoundCuts"], frozen=True, kw_only=True, tag="find_cuts"):
    """Asks for the exact places of cuts of a video; answered with FoundCuts."""

    path: str
    # Of each cut the seconds of the grid before and after it.
    seconds: tuple[tuple[int, int], ...]
    roots: tuple[str, ...] | None = None  # in which it must lie, of the licence key that asks


class MakePreview(Asking["PreviewSegment"], frozen=True, kw_only=True, tag="make_preview"):
    """Asks for a piece of a file as any browser plays it; answered with PreviewSegment."""

    path: str
    begins: int  # seconds since the first picture, or since the first sound where there is none
    ends: float
    has_picture: bool  # all segments of a file have the same tracks
    has_sound: bool
    roots: tuple[str, ...] | None = None  # in which it must lie, of the licence key that asks


class ProbeFile(Asking["Probed"], frozen=True, kw_only=True, tag="probe_file"):
    """Asks what a file says about itself; answered with Probed."""

    path: str
    roots: tuple[str, ...] | None = None  # in which it must lie, of the licence key that asks


class FindFaces(Asking["FoundFaces"], frozen=True, kw_only=True, tag="find_faces"):
    """Asks for the faces of a picture file; answered with FoundFaces."""

    path: str
    face_model: str
    roots: tuple[str, ...] | None = None  # in which it must lie, of the licence key that asks


class FindPictureFaces(Asking["FoundFaces"], frozen=True, kw_only=True, tag="find_picture_faces"):
    """Asks for the faces of an encoded picture; answered with FoundFaces."""

    picture: bytes
    face_model: str


EmbedQuestion = EmbedTexts | EmbedSentences | EmbedPicture | EmbedFrame
FacesQuestion = FindFaces | FindPictureFaces
Question = (
    EmbedQuestion | FacesQuestion | GrabFrame | GrabFrames | FindCuts | MakePreview | ProbeFile
)


class QueryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One question as it lies in Redis until its deadline."""

    request_id: str = msgspec.field(name="ask_id")
    reply_to: str  # key of the list that the asking process reads
    within_s: float
    question: Question = msgspec.field(name="payload")
    trace: str = ""  # the asking span (traces.carried)


# From the worker.


class Embedded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="embedded"):
    """Unit vectors in the order of what was asked."""

    vectors: bytes  # little-endian float32, row by row
    dim: int
    rows: int
    familiarity: tuple[float, ...] | None = None  # of texts, where the model knows its own

    @classmethod
    def of(
        cls, vectors: NDArray[np.float32], familiarity: NDArray[np.float32] | None = None
    ) -> Embedded:
        rows, dim = vectors.shape
        return cls(
            vectors=vectors.astype("<f4", copy=False).tobytes(),
            dim=dim,
            rows=rows,
            familiarity=None if familiarity is None else tuple(familiarity.tolist()),
        )

    def as_array(self) -> NDArray[np.float32]:
        return np.frombuffer(self.vectors, "<f4").reshape(self.rows, self.dim)


class Grabbed(msgspec.Struct, frozen=True, kw_only=True, tag="grabbed"):
    """The frame as an encoded picture."""

    jpeg: bytes


class GrabbedFrames(msgspec.Struct, frozen=True, kw_only=True, tag="grabbed_frames"):
    """Frames as encoded pictures, by second: all up to before `next`, the second to ask on from."""

    jpegs: tuple[tuple[int, bytes], ...]  # seconds in which no picture begins have none
    next: int


class FoundCuts(msgspec.Struct, frozen=True, kw_only=True, tag="found_cuts"):
    """Seconds of the first cuts that were asked for, as many as a turn has time for."""

    places: tuple[float | None, ...]  # None: its pictures cannot be had


class PreviewSegment(msgspec.Struct, frozen=True, kw_only=True, tag="preview_segment"):
    """An MP4 file of one fragment: H.264 and AAC, its times counted from where it begins."""

    mp4: bytes


class Probed(Probe, frozen=True, kw_only=True, tag="probed"):
    """A Probe that crosses processes."""


class FoundFace(msgspec.Struct, frozen=True, kw_only=True):
    """A face, and what is wrong with it."""

    vector: bytes  # little-endian float16, a unit row
    is_small: bool
    is_blurred: bool
    is_turned: bool


class FoundFaces(msgspec.Struct, frozen=True, kw_only=True, tag="found_faces"):
    """Every face of a picture."""

    faces: tuple[FoundFace, ...]


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """An error of the tree in shared.errors, by the name of its class."""

    error: str
    message: str

    @classmethod
    def of(cls, error: RushesError) -> Failed:
        return cls(error=type(error).__name__, message=error.message)

    def as_error(self) -> RushesError:
        """The error itself; a RushesError where this version has no such class."""
        waiting: list[type[RushesError]] = [RushesError]
        while waiting:
            kind = waiting.pop()
            if kind.__name__ == self.error:
                return kind(self.message)
            waiting += kind.__subclasses__()
        return RushesError(self.message)


Result = Embedded | FoundCuts | FoundFaces | Grabbed | GrabbedFrames | PreviewSegment | Probed
Answer = Result | Failed


class QueryReply(msgspec.Struct, frozen=True, kw_only=True):
    """One answer as it lies in the list of the process that asked."""

    request_id: str = msgspec.field(name="ask_id")
    answer: Answer = msgspec.field(name="result")
