"""The log of what users said about people, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from api.http.endpoint import Call, Endpoint
from api.http.parameters import IN_CACHE_DIR, OF_COLLECTION, flag, whole_number
from api.people import answers
from api.people.answers import Edits, UndoAnswer
from api.people.bodies import UndoBody
from api.people.edit_routes import made_edit
from api.people.editing import undo_edit
from api.people.people import PeopleServices
from api.people.routes import cluster_items
from api.people.snapshot import CollectionSnapshot
from shared.errors import BadInput
from shared.people import edits as kinds
from shared.people.state import report
from shared.rights import KeyScope

_LIMIT = whole_number(
    "limit", "Only so many of the newest. Left out: all of them.", 100_000, example=100
)
_BRIEF = flag(
    "brief",
    "`true` leaves `face_ids` of moves empty and `voice_ids` out, and tells "
    "`face_count` and `voice_count` instead.",
)


async def list_face_edits(call: Call[None], services: PeopleServices) -> Edits:
    """What was changed by hand.

    The log of names, merges, moves and undos of faces and voices, which is never shortened. An
    edit that is about clusters or faces that are gone stays in it, with a reason, and is in
    force again when they come back.
    """
    cache_dir, name = IN_CACHE_DIR.read(call.query), OF_COLLECTION.read(call.query)
    limit, is_brief = _LIMIT.read(call.query), _BRIEF.read(call.query)
    return await services.in_cache_dir(
        cache_dir, _edits, services, cache_dir, name, limit, is_brief
    )


def _edits(
    services: PeopleServices, cache_dir: str, name: str, limit: int, is_brief: bool
) -> Edits:
    cache = services.caches.cache(services.paths.cache(cache_dir))
    found = report(services.people.open(cache, name).state)
    shown = found[-limit:]  # 0: all
    return Edits(edits=[_edit_item(*entry, is_brief) for entry in shown])


def _edit_item(
    edit: kinds.Edit, applies: bool, reason: str | None, is_brief: bool
) -> answers.EditItem:
    what = edit.what
    assignments = what.assignments if isinstance(what, kinds.Names) else ()
    merges = what.merges if isinstance(what, kinds.Modify) else ()
    moves = what.moves if isinstance(what, kinds.Modify) else ()
    apart = what.apart if isinstance(what, kinds.Modify) else ()
    return answers.EditItem(
        edit_id=edit.id,
        at=edit.at,
        kind=kinds.kind_of(edit),
        assignments=[
            answers.NamedCluster(cluster_id=str(a.cluster_id), name=a.name) for a in assignments
        ],
        merges=[
            answers.DoneMerge(
                cluster_ids=[str(id_) for id_ in merge.cluster_ids],
                target_cluster_id=str(merge.target),
            )
            for merge in merges
        ],
        moves=[_done_move(move, is_brief) for move in moves],
        apart=[answers.DoneParting(cluster_ids=list(map(str, pair))) for pair in apart] or UNSET,
        undone_to=what.to if isinstance(what, kinds.Undo) else None,
        applies=applies,
        reason=reason or None,
    )


def _done_move(move: kinds.FaceMove, is_brief: bool) -> answers.DoneMove:
    return answers.DoneMove(
        face_ids=[] if is_brief else list(move.face_ids),
        target_cluster_id=str(move.target),
        is_new=move.is_new,
        face_count=len(move.face_ids) if is_brief else UNSET,
        voice_ids=UNSET if is_brief or not move.voice_ids else list(move.voice_ids),
        voice_count=len(move.voice_ids) or UNSET if is_brief else UNSET,
    )


async def undo_face_edits(call: Call[UndoBody], services: PeopleServices) -> UndoAnswer:
    """Take back what was changed by hand.

    Without `edit_id` the last edit in force is undone; with it, everything goes back to how it
    was right after that edit. Undoing is an edit itself, so it can be undone. 404 for an
    unknown edit, 400 when there is nothing to undo, 409 where somebody edited the collection
    after `known_edit_id`.
    """
    return await services.in_cache_dir(call.body.cache_dir, _undo, services, call.body)


def _undo(services: PeopleServices, body: UndoBody) -> UndoAnswer:
    def make(snapshot: CollectionSnapshot) -> kinds.Undo:
        log = snapshot.state.edits
        return undo_edit(log, before_the_last(log) if body.edit_id is None else body.edit_id)

    edit, snapshot = made_edit(services, body, make)
    assert isinstance(edit.what, kinds.Undo)
    message = (
        f"Everything is as it was right after the edit {edit.what.to}."
        if edit.what.to
        else "Everything is as it was before the first edit."
    )
    return UndoAnswer(
        message=message, edit_id=edit.id, clusters=cluster_items(snapshot, body.voices)
    )


def before_the_last(log: Sequence[kinds.Edit]) -> str:
    """Which edit to go back to so that the last one in force is undone. Raises BadInput."""
    last = ""  # in force at that point of the log
    last_after = {"": ""}
    before: dict[str, str] = {}
    for edit in log:
        if isinstance(edit.what, kinds.Undo):
            last = last_after.get(edit.what.to, last)
        else:
            before[edit.id] = last
            last = edit.id
        last_after[edit.id] = last
    if not last:
        raise BadInput("There is nothing to undo: no edit is in force.")
    return before[last]


ENDPOINTS = (
    Endpoint(
        "GET /faces/edits",
        list_face_edits,
        "Faces",
        KeyScope.PEOPLE,
        query=(IN_CACHE_DIR, OF_COLLECTION, _LIMIT, _BRIEF),
        answer_example={"edits": [{"assignments": []}]},
    ),
    Endpoint(
        "POST /faces/edits/undo",
        undo_face_edits,
        "Faces",
        KeyScope.PEOPLE,
        is_audited=True,
        errors={BadInput: "There is nothing to undo: no edit is in force."},
        example={"edit_id": ...},
        answer_example={"message": "Everything is as it was before the first edit."},
    ),
)
