"""Where a page of a search ended, as a text for clients: signed, and bound to that search.

No server keeps anything of it. It carries the vectors that the search ranks by: so each page is
ranked as the first one was, by whatever replica, and asks no model.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
from itsdangerous import BadData, URLSafeSerializer

from api.search.paging.fields import PageFields
from api.search.types import QueryVectors, VectorArray
from shared.errors import BadInput

_SALT = "search-cursor"
# Fields that choose neither which matches there are nor their order.
_FREE = frozenset({"cursor", "license_key", "max_results", "images", "details", "coverage"})
_ANEW = 'start anew with "cursor": "".'

Key = tuple[Any, ...]  # numbers and texts; matches are in its order


class KeptQuery(msgspec.Struct, frozen=True, array_like=True):
    """Vectors of a visual search, as float32 bytes, and how well the model knows its words."""

    query: bytes | None
    picture: bytes | None
    exclude: tuple[bytes, ...]
    familiarity: float | None

    @classmethod
    def of(cls, vectors: QueryVectors, familiarity: float | None) -> KeptQuery:
        excluded = () if vectors.exclude is None else vectors.exclude
        return cls(
            _bytes(vectors.query),
            _bytes(vectors.picture),
            tuple(vector.astype("<f4").tobytes() for vector in excluded),
            familiarity,
        )

    def vectors(self, text_weight: float) -> QueryVectors:
        return QueryVectors(
            query=None if self.query is None else _vector(self.query),
            picture=None if self.picture is None else _vector(self.picture),
            exclude=np.stack([_vector(raw) for raw in self.exclude]) if self.exclude else None,
            text_weight=text_weight,
        )


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The end of a page.

    `search` is the digest of the request, `folder` the id of the CacheDir. `given` counts matches
    of all pages so far, `of_last` those that the last thing gave: a match has one for each path
    that the client asked for it by. `last` is the key of the worst match that is given at all.
    """

    search: str
    folder: str
    model: str
    after: Key
    of_last: int
    given: int
    last: Key | None = None
    kept: KeptQuery | None = None


def digest(kind: str, body: PageFields) -> str:
    """What a search asks for, but for how much of it is wanted."""
    asked = {name: getattr(body, name) for name in body.__struct_fields__ if name not in _FREE}
    return hashlib.sha256(msgspec.json.encode([kind, asked], order="sorted")).hexdigest()[:24]


def text_of(signer: URLSafeSerializer, cursor: Cursor) -> str:
    """What clients get, and send again."""
    return str(signer.dumps(msgspec.to_builtins(cursor), salt=_SALT))


def read(signer: URLSafeSerializer, text: str, search: str) -> Cursor:
    """A client's cursor, for the search of this digest. Raises BadInput with the cure."""
    try:
        found = msgspec.convert(signer.loads(text, salt=_SALT), Cursor)
    except (BadData, msgspec.ValidationError):
        raise BadInput(
            f"cursor: it must be the `next` of an earlier answer, as it was given; {_ANEW}"
        ) from None
    if found.search != search:
        raise BadInput(
            "cursor: it belongs to another search; send the fields with which it was given, or "
            + _ANEW
        )
    return found


def check_current(cursor: Cursor, folder: str, model: str) -> None:
    """Raise BadInput where the folder was made anew, or another model answers by now."""
    if cursor.folder != folder:
        raise BadInput(f"cursor: the cache folder was made anew since; {_ANEW}")
    if cursor.model != model:
        raise BadInput(f"cursor: the model was {cursor.model} and is {model} now; {_ANEW}")


def _bytes(vector: VectorArray | None) -> bytes | None:
    return None if vector is None else vector.astype("<f4").tobytes()


def _vector(raw: bytes) -> VectorArray:
    return np.frombuffer(raw, "<f4").astype(np.float32)
