"""What a request asks of pages: its cursor read, its order made, the next cursor written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from itsdangerous import URLSafeSerializer

from api.search.paging import pages
from api.search.paging.fields import PageFields
from api.search.paging.pages import Cursor, Ending, HitT, KeptQuery, OnePage, Order
from api.search.services import SearchScope, SearchServices
from api.search.types import Hit
from shared.errors import BadInput

ClientPaths = dict[str, list[str]] | None  # as SearchScope.client_paths gives them


@dataclass(frozen=True, slots=True)
class AskedPage:
    """Of one request: `sort` as it was asked for, or as is usual for such a search."""

    sort: str
    size: int
    per_file: int | None
    cursor: Cursor | None
    search: str
    signer: URLSafeSerializer | None  # None: nobody asks for the page after

    @classmethod
    def of(
        cls, services: SearchServices, body: PageFields, size: int, usual: str
    ) -> AskedPage | None:
        """None for a request without any of these fields. Raises BadInput for a wrong cursor."""
        if body.cursor is None and body.sort is None and body.group_by is None:
            return None
        search, signer, cursor = "", None, None
        if body.cursor is not None:
            search = pages.digest(type(body).__name__, body)
            signer = services.addresses.signer()
            cursor = pages.read(signer, body.cursor, search) if body.cursor else None
        per_file = body.matches_per_file if body.group_by else None
        return cls(body.sort or usual, size, per_file, cursor, search, signer)

    @property
    def has_cursor(self) -> bool:
        """Whether the answer is one of several pages."""
        return self.signer is not None

    def check_current(self, scope: SearchScope, model: str) -> None:
        """Raise BadInput where folder or model are not those that the cursor was given for."""
        cursor = self.cursor
        if cursor is not None and cursor.folder != scope.cache().id:
            raise BadInput(f"cursor: the cache folder was made anew since; {pages.ANEW}")
        if cursor is not None and cursor.model != model:
            raise BadInput(f"cursor: the model was {cursor.model} and is {model} now; {pages.ANEW}")

    def picker(
        self, scope: SearchScope, paths: ClientPaths, keeps: Callable[[Hit], bool], falls: bool
    ) -> OnePage[Hit]:
        """What picks the page of a search of frames; see OnePage."""
        is_in_order = self.sort == "score" and self.per_file is None
        ahead = (self.cursor.given if self.cursor else 0) if is_in_order else None
        order = Order() if self.sort == "score" else self.order(scope, paths)
        return self.page_in(order, paths, keeps, falls, ahead)

    def page_in(
        self,
        order: Order,
        paths: ClientPaths,
        keeps: Callable[[HitT], bool],
        falls: bool,
        ahead: int | None,
    ) -> OnePage[HitT]:
        """What picks the page from hits in an order; see OnePage."""
        return OnePage(
            size=self.size,
            order=order,
            cursor=self.cursor,
            keeps=keeps,
            falls=falls,
            copies=lambda hash_str: len((paths or {}).get(hash_str, "1")),
            per_file=self.per_file,
            ahead=ahead,
        )

    def order(self, scope: SearchScope, paths: ClientPaths) -> Order:
        """The order of files and hits: by where a file was seen first, or is in the request."""
        recorded = {}
        if self.sort.startswith("date"):
            known = scope.services.index.facts.snapshot(scope.view()).files
            recorded = {hash_str: facts.recorded for hash_str, facts in known.items()}
        if paths is None:
            return Order(self.sort, scope.view().seen.first(), recorded)
        at = {path: n for n, path in enumerate((scope.asked or {}).values())}
        numbers = {hash_str: min(at[path] for path in those) for hash_str, those in paths.items()}
        return Order(self.sort, numbers, recorded)

    def next(
        self, scope: SearchScope, model: str, ending: Ending | None, kept: KeptQuery | None = None
    ) -> str | None:
        """The cursor of the page after; None where this is the last one, or nobody asks."""
        if ending is None or self.signer is None:
            return None
        cursor = Cursor(self.search, scope.cache().id, model, *ending, kept)
        return str(self.signer.dumps(msgspec.to_builtins(cursor), salt=pages.SALT))
