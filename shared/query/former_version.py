"""Questions and answers of the version before, which had no tags: for while one replaces the other.

Drop this file, and its two uses, with the next version.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shared.query.lanes import Lane
from shared.query.messages import (
    Embedded,
    EmbedFrame,
    EmbedPicture,
    EmbedTexts,
    Failed,
    Grabbed,
    GrabFrame,
    Probed,
    ProbeFile,
    QueryReply,
    QueryRequest,
    Question,
)

_SIDE = 320  # pixels, where a question names none


def request_of(raw: str | bytes, lane: Lane) -> QueryRequest:
    """A request without a tag, taken from `lane`. Raises MsgspecError."""
    wire = msgspec.json.decode(raw, type=dict[str, Any])
    asked = msgspec.convert(wire.get("payload"), dict[str, Any])
    kind: type[Question]
    if "texts" in asked:
        kind = EmbedTexts
    elif "image_b64" in asked:
        kind = EmbedPicture
    elif "model" in asked:
        kind, asked = EmbedFrame, {"path": asked.get("image_path"), **asked}
    elif lane is Lane.PROBE:
        kind = ProbeFile
    else:
        kind, asked = GrabFrame, {"seconds": 0.0, "long_side": _SIDE, **asked}
    return msgspec.convert({**wire, "payload": _tagged(asked, kind)}, QueryRequest)


def reply_of(raw: str | bytes, asked: dict[str, Question]) -> QueryReply:
    """A reply without a tag to one of the questions, by their ids. Raises MsgspecError."""
    wire = msgspec.json.decode(raw, type=dict[str, Any])
    result = msgspec.convert(wire.get("result"), dict[str, Any])
    question = asked.get(wire.get("ask_id", ""))
    kind: type[Embedded | Grabbed | Probed | Failed]
    if "error" in result:
        kind = Failed
    elif isinstance(question, ProbeFile):
        kind = Probed
    else:
        kind = Grabbed if isinstance(question, GrabFrame) else Embedded
    return msgspec.convert({**wire, "result": _tagged(result, kind)}, QueryReply)


def _tagged(wire: dict[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    config = kind.__struct_config__
    return {**wire, config.tag_field or "type": config.tag}
