"""Messages between the API and the query worker: one type each, and on the wire as before."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from shared.domain import Probe
from shared.errors import BadInput, MediaUnsupported, ModelLoading, NoWorker, RushesError
from shared.media import MediaType
from shared.query.messages import (
    Answer,
    Embedded,
    EmbedFrame,
    EmbedPicture,
    EmbedTexts,
    Failed,
    FindFaces,
    FindPictureFaces,
    FoundFace,
    FoundFaces,
    Grabbed,
    GrabbedFrames,
    GrabFrame,
    GrabFrames,
    Probed,
    ProbeFile,
    QueryReply,
    QueryRequest,
    Question,
)

VECTORS = np.array([[0.6, 0.8], [1, 0], [0, 1]], np.float32)

# With the payloads and results of the version without tags, which finds all it knows in ours.
QUESTIONS: list[tuple[Question, dict[str, Any]]] = [
    (EmbedTexts(model="m", texts=("a", "b")), {"model": "m", "texts": ["a", "b"]}),
    (EmbedPicture(model="m", image=b"\xff\xd8\xff"), {"model": "m", "image_b64": "/9j/"}),
    (
        EmbedFrame(model="m", path="/a.mp4", seconds=1.5),
        {"model": "m", "path": "/a.mp4", "seconds": 1.5},
    ),
    (
        GrabFrame(path="/a.mp4", seconds=2, long_side=320),
        {"path": "/a.mp4", "seconds": 2, "long_side": 320},
    ),
    (ProbeFile(path="/a.mp4"), {"path": "/a.mp4"}),
]
PROBE = Probe(media_type=MediaType.VIDEO, width=320, warnings=("odd",))
ANSWERS: list[tuple[Answer, dict[str, Any]]] = [
    (
        Embedded.of(VECTORS[1:2]),
        {"vectors": "AACAPwAAAAA=", "dim": 2, "rows": 1},
    ),
    (Grabbed(jpeg=b"\xff\xd8\xff"), {"jpeg": "/9j/"}),
    (Probed(**msgspec.structs.asdict(PROBE)), msgspec.json.decode(msgspec.json.encode(PROBE))),
    (
        Failed.of(BadInput("time_seconds is wrong.")),
        {"error": "BadInput", "message": "time_seconds is wrong."},
    ),
]


@pytest.mark.parametrize(("question", "payload"), QUESTIONS)
def test_a_question_comes_back_as_its_type_and_reads_as_before(
    question: Question, payload: dict[str, Any]
) -> None:
    request = QueryRequest(request_id="1", reply_to="list", within_s=20, question=question)
    wire = msgspec.json.encode(request)
    assert msgspec.json.decode(wire, type=QueryRequest) == request
    found = msgspec.json.decode(wire)
    assert found["payload"].pop("type")
    assert found == {
        "ask_id": "1",
        "reply_to": "list",
        "within_s": 20,
        "payload": payload | ({"roots": None} if "path" in payload else {}),
        "trace": "",
    }


@pytest.mark.parametrize(("answer", "result"), ANSWERS)
def test_an_answer_comes_back_as_its_type_and_reads_as_before(
    answer: Answer, result: dict[str, Any]
) -> None:
    reply = QueryReply(request_id="1", answer=answer)
    wire = msgspec.json.encode(reply)
    assert msgspec.json.decode(wire, type=QueryReply) == reply
    found = msgspec.json.decode(wire)
    assert found["result"].pop("type")
    assert found == {"ask_id": "1", "result": result}


def test_faces_are_asked_for_and_come_back() -> None:
    question = FindFaces(path="/a.jpg", face_model="m", roots=("/",))
    request = QueryRequest(request_id="1", reply_to="list", within_s=20, question=question)
    assert msgspec.json.decode(msgspec.json.encode(request), type=QueryRequest) == request
    sent = FindPictureFaces(picture=b"\xff\xd8\xff", face_model="m")
    request = QueryRequest(request_id="1", reply_to="list", within_s=20, question=sent)
    assert msgspec.json.decode(msgspec.json.encode(request), type=QueryRequest) == request
    face = FoundFace(vector=b"\0<", is_small=True, is_blurred=False, is_turned=False)
    reply = QueryReply(request_id="1", answer=FoundFaces(faces=(face,)))
    assert msgspec.json.decode(msgspec.json.encode(reply), type=QueryReply) == reply


def test_frames_of_a_stretch_are_asked_for_and_come_back() -> None:
    question = GrabFrames(path="/a.mp4", seconds=(3, 9), long_side=320, roots=("/",))
    request = QueryRequest(request_id="1", reply_to="list", within_s=20, question=question)
    assert msgspec.json.decode(msgspec.json.encode(request), type=QueryRequest) == request
    answer = GrabbedFrames(jpegs=((3, b"\xff\xd8\xff"), (5, b"")), next=9)
    reply = QueryReply(request_id="1", answer=answer)
    assert msgspec.json.decode(msgspec.json.encode(reply), type=QueryReply) == reply


def test_vectors_come_back_as_they_were_whatever_their_layout() -> None:
    assert np.array_equal(Embedded.of(VECTORS).as_array(), VECTORS)
    assert np.array_equal(Embedded.of(VECTORS[:, ::-1]).as_array(), VECTORS[:, ::-1])
    assert np.array_equal(Embedded.of(VECTORS.astype(">f4")).as_array(), VECTORS)


@pytest.mark.parametrize("kind", [BadInput, MediaUnsupported, ModelLoading, NoWorker, RushesError])
def test_an_error_comes_back_as_its_class(kind: type[RushesError]) -> None:
    error = Failed.of(kind("This is why.")).as_error()
    assert (type(error), error.message) == (kind, "This is why.")


def test_an_error_of_an_unknown_class_keeps_its_message() -> None:
    error = Failed(error="OfTheFuture", message="This is why.").as_error()
    assert (type(error), error.message) == (RushesError, "This is why.")
