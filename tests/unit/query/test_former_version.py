"""Messages of the version without tags are understood while this one replaces it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shared.query.former_version import reply_of, request_of
from shared.query.lanes import Lane
from shared.query.messages import (
    Answer,
    EmbedFrame,
    EmbedSentences,
    EmbedTexts,
    GrabFrame,
    GrabFrames,
    ProbeFile,
    Question,
)
from tests.unit.query.test_messages import ANSWERS, QUESTIONS

LANES = {EmbedTexts: Lane.EMBED, ProbeFile: Lane.PROBE}
PROBE = QUESTIONS[4][0]
ASKED = {"0": QUESTIONS[0][0], "1": QUESTIONS[3][0], "2": PROBE, "3": PROBE}


def wire(payload: object) -> bytes:
    return msgspec.json.encode(
        {"ask_id": "1", "reply_to": "list", "within_s": 20, "payload": payload}
    )


@pytest.mark.parametrize(("question", "payload"), QUESTIONS)
def test_a_question_is_known_by_its_lane_and_fields(
    question: Question, payload: dict[str, Any]
) -> None:
    request = request_of(wire(payload), LANES.get(type(question), Lane.GRAB))
    assert (request.question, request.request_id, request.within_s) == (question, "1", 20)


def test_what_a_question_leaves_out_is_as_it_was() -> None:
    grabbed = request_of(wire({"path": "/a.jpg"}), Lane.GRAB).question
    assert grabbed == GrabFrame(path="/a.jpg", seconds=0, long_side=320)
    picture = request_of(wire({"model": "m", "image_path": "/a.jpg"}), Lane.GRAB).question
    assert picture == EmbedFrame(model="m", path="/a.jpg")


@pytest.mark.parametrize(
    ("request_id", "answer", "result"),
    [(str(n), *answer) for n, answer in enumerate(ANSWERS)],
)
def test_an_answer_is_known_by_its_question(
    request_id: str, answer: Answer, result: dict[str, Any]
) -> None:
    raw = msgspec.json.encode({"ask_id": request_id, "result": result})
    assert reply_of(raw, ASKED).answer == answer


def test_a_worker_that_knows_no_stretches_takes_none_for_a_single_frame() -> None:
    """So it does with what it does not know: the tag is no help to it."""
    stretch = GrabFrames(path="/a.mp4", seconds=(3, 9), long_side=320)
    with pytest.raises(msgspec.MsgspecError):
        request_of(wire(stretch), Lane.GRAB)


def test_a_worker_that_knows_no_sentences_takes_none_for_texts() -> None:
    question = EmbedSentences(model="m", sentences=("one",))
    with pytest.raises(msgspec.MsgspecError):
        request_of(wire(question), Lane.EMBED)


@pytest.mark.parametrize("other", ['{"form": 2}', "[]", '{"payload": 3}', '{"payload": {}}'])
def test_what_is_of_neither_version_is_refused(other: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        request_of(other, Lane.GRAB)
    with pytest.raises(msgspec.MsgspecError):
        reply_of(other, ASKED)
