"""Which errors each endpoint may answer, as responses of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from api.docs.json_schema import REF
from api.http.endpoint import REFUSED, Endpoint, RootsRule
from api.http.errors import (
    TABLE,
    WARNINGS_HEADER,
    BodiesFull,
    ErrorBody,
    KeyExpired,
    KeyMissing,
    KeyRefused,
    NotFromConsole,
    ScopeMissing,
    SessionEnded,
    SignedInAlready,
    TooLarge,
    TooSlow,
)
from shared import errors

Kinds = Mapping[type[errors.RushesError], str]  # an error -> an example of its message

_MEANINGS: dict[type[errors.RushesError], str] = {
    errors.BadInput: "A parameter is missing or wrong; the message names the field and the index.",
    errors.MediaUnreadable: "The file cannot be decoded.",
    errors.CacheError: "The cache folder cannot be read or written.",
    errors.ExportError: "The folder of the export cannot be written.",
    KeyMissing: "No licence key was given.",
    SessionEnded: "The session of the console has ended, or its key is no more.",
    NotFromConsole: "A session counts only with what the console itself sends.",
    KeyRefused: "The key is unknown, revoked or not a Pro key.",
    KeyExpired: "The key has expired.",
    ScopeMissing: "The key lacks a scope, which the message names.",
    errors.NotAllowed: "A path lies outside the folders that the server may use.",
    errors.Missing: "What the request names is not there.",
    errors.MediaMissing: "The file does not exist.",
    errors.MediaChanging: "The file is being written.",
    errors.NothingUsable: "None of the files can be used; the message says why.",
    errors.Busy: "Another task holds what this one needs.",
    errors.AlreadyWatched: "The same files are watched already.",
    SignedInAlready: "The browser has a session of another key than the link.",
    errors.AlreadySubscribed: "A webhook sends the same messages already.",
    errors.EditedMeanwhile: "Somebody else changed the same people; the message says what.",
    TooLarge: "The body is larger than RUSHES_MAX_BODY_MB, or holds too many values.",
    TooSlow: "The body did not arrive in time.",
    BodiesFull: "Too many bodies are arriving at the same time.",
    errors.RushesError: "Something went wrong in the server; its log says what.",
    errors.RedisAway: "Redis does not answer.",
    errors.FolderHangs: "A folder does not answer: its disk or network share hangs.",
    errors.NoWorker: "No worker that can answer runs, or none answers in time.",
    errors.ModelLoading: "The model is being loaded.",
    errors.ModelError: "The model cannot be used.",
    errors.Unavailable: "The server cannot answer right now.",
}
_INTERNAL: dict[type[errors.RushesError], str] = {
    errors.RushesError: "Something went wrong; the server's log says what."
}
_OF_KEYS: Kinds = {
    KeyMissing: KeyMissing().message,
    SessionEnded: SessionEnded().message,
    KeyRefused: KeyRefused().message,
    KeyExpired: "This licence key expired on 2026-12-31: ask for a new one.",
    errors.RedisAway: errors.RedisAway().message,
}
_HANGS = errors.FolderHangs.of("/footage/.rushes")
_OF_CACHES: Kinds = {
    errors.FolderHangs: _HANGS.message,
    errors.NotAllowed: "cache_dir: /tmp/x lies outside the folders in RUSHES_CACHE_ROOTS.",
    errors.CacheError: "The server has no permission to use the cache folder /footage/.rushes. "
    "Give it read and write permission or choose another cache_dir.",
}
_OF_EXPORTS: Kinds = {
    errors.FolderHangs: _HANGS.message,
    errors.NotAllowed: "{field}: /tmp/x lies outside the folders in RUSHES_EXPORT_ROOTS.",
    errors.ExportError: "The server has no permission to write into /footage/exports. Give it "
    "permission or choose another folder.",
}
# By what a request names: a parameter of the path, or a field.
_NOT_THERE = {
    "{task_id}": "There is no task 8f14e45fceea167a5a36dedd4bea2543.",
    "{key_id}": "There is no key 9f86d081884c.",
    "{webhook_id}": "There is no webhook 5f2b9c0e1d3a4b67.",
    "{watch_folder_id}": "There is no watch folder 5f2b9c0e1d3a4b67.",
}
_BY_FIELD: dict[str, Kinds] = {
    "cache_dir": _OF_CACHES,
    "known_edit_id": {
        errors.EditedMeanwhile: "Meanwhile this person was named Bea. Look again, then decide."
    },
}
_NO_COLLECTION = "There is no collection 'Season 2' in this cache folder."
# Of every answer: components of the document, and the reference to them.
HEADERS = {
    "Warnings": {
        "description": "A JSON array of sentences, only when there are any: fields of the request "
        "that nobody reads, and what in a file is not as asked for.",
        "schema": {"type": "string"},
        "example": '["cache_dri is no field here, and was not read; did you mean cache_dir?"]',
    }
}
WARNINGS = {WARNINGS_HEADER: {"$ref": "#/components/headers/Warnings"}}
_RETRY_AFTER = {
    "description": "Seconds to wait before the next try.",
    "schema": {"type": "integer", "minimum": 1},
    "example": 2,
}
# Answered alike by every endpoint that answers them.
_COMMON = (401, 408, 413, 500)


def possible(endpoint: Endpoint) -> Kinds:
    """Every error that this endpoint may answer, with an example of its message."""
    own = {kind: message or kind().message for kind, message in endpoint.errors.items()}
    return {**_INTERNAL, **_of_keys(endpoint), **_of_input(endpoint), **own}


def _of_keys(endpoint: Endpoint) -> Kinds:
    found: dict[type[errors.RushesError], str] = {}
    if endpoint.needs_key:
        found |= _OF_KEYS
        if endpoint.method != "GET":
            found |= {NotFromConsole: NotFromConsole().message}
    if endpoint.scope:
        found |= {
            ScopeMissing: f"This licence key lacks the scope '{endpoint.scope}'; it has none."
        }
    if endpoint.roots is RootsRule.REFUSED:
        found |= {errors.NotAllowed: REFUSED}
    return found


def _of_input(endpoint: Endpoint) -> Kinds:
    found: dict[type[errors.RushesError], str] = {}
    if endpoint.method in ("POST", "PUT"):
        found |= {errors.BadInput: _bad_body(endpoint)}
        found |= {kind: kind().message for kind in (TooLarge, TooSlow, BodiesFull)}
    elif endpoint.query or "{" in endpoint.path:
        found |= {errors.BadInput: _bad_parameter(endpoint)}
    fields = {parameter.name for parameter in endpoint.query}
    fields |= set(endpoint.body.__struct_fields__ if endpoint.body else ())
    for name, message in _NOT_THERE.items():
        if name in endpoint.path:
            found |= {errors.Missing: message}
    if "cluster_job_name" in fields and endpoint.path.startswith("/faces/"):
        found |= {errors.Missing: _NO_COLLECTION}
    for field in sorted(fields & _BY_FIELD.keys()):
        found |= _BY_FIELD[field]
    for field in sorted(fields & {"output_dir", "output_path"}):
        found |= {kind: text.format(field=field) for kind, text in _OF_EXPORTS.items()}
    return found


def responses(endpoint: Endpoint) -> Iterator[tuple[str, dict[str, Any]]]:
    """(status, response) of the endpoint's errors; those of all endpoints by reference."""
    by_status: dict[int, dict[type[errors.RushesError], str]] = {}
    for kind, message in possible(endpoint).items():
        by_status.setdefault(TABLE[_listed(kind)][0], {})[kind] = message
    for status, kinds in by_status.items():
        if status in _COMMON:
            yield str(status), {"$ref": f"#/components/responses/Error{status}"}
        else:
            yield str(status), _response(status, kinds)


def common_responses() -> dict[str, Any]:
    """The responses that are referred to."""
    kinds: tuple[type[errors.RushesError], ...] = (KeyMissing, SessionEnded, TooSlow, TooLarge)
    by_status: dict[int, dict[type[errors.RushesError], str]] = {}
    for kind, message in (_INTERNAL | {kind: kind().message for kind in kinds}).items():
        by_status.setdefault(TABLE[kind][0], {})[kind] = message
    return {f"Error{status}": _response(status, found) for status, found in by_status.items()}


def show(response: dict[str, Any], status: int) -> None:
    """Complete the response of an error whose body has more fields than the usual ones."""
    content = response["content"]["application/json"]
    example = content.pop("example")
    content["examples"] = {"Example": {"summary": example["error"], "value": example}}
    if status == 503:
        response["headers"] = WARNINGS | {"Retry-After": _RETRY_AFTER}


def _bad_body(endpoint: Endpoint) -> str:
    """What a body without its first required field is told."""
    for field in msgspec.structs.fields(endpoint.body) if endpoint.body else ():
        if field.required:
            return f"{field.encode_name} is required."
    return "The body must be a JSON object, not an array."


def _bad_parameter(endpoint: Endpoint) -> str:
    if endpoint.query and endpoint.query[0].required:
        return f"{endpoint.query[0].name} is required."
    name = endpoint.query[0].name if endpoint.query else endpoint.path.split("{")[1][:-1]
    return f"{name} may have at most 1,000 characters; shorten it."


def _listed(kind: type[errors.RushesError]) -> type[errors.RushesError]:
    return next(base for base in kind.__mro__ if base in TABLE)


def _response(status: int, kinds: Kinds) -> dict[str, Any]:
    examples = {
        kind.__name__: {
            "summary": TABLE[_listed(kind)][1],
            "value": {"error": TABLE[_listed(kind)][1], "message": message},
        }
        for kind, message in kinds.items()
    }
    response: dict[str, Any] = {
        "description": " Or: ".join(_MEANINGS[kind] for kind in kinds),
        "content": {
            "application/json": {
                "schema": {"$ref": REF.format(name=ErrorBody.__name__)},
                "examples": examples,
            }
        },
        "headers": WARNINGS,
    }
    if status == 503 or errors.Busy in kinds:
        response["headers"] = WARNINGS | {"Retry-After": _RETRY_AFTER}
    return response
