"""What users say about people: names, merges, moves."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from api.http.endpoint import Call, Endpoint
from api.http.parameters import IN_CACHE_DIR, OF_COLLECTION, flag, whole_number
from api.people import answers
from api.people.answers import Edits, ModifyAnswer, NamesAnswer, UndoAnswer
from api.people.bodies import MOST_MOVED, ClusterId, ModifyBody, Move, NamesBody, OfEdit, UndoBody
from api.people.editing import (
    FacesAndVoices,
    ToMove,
    WholeClusters,
    checked_person,
    checked_since,
    hindrance,
    modify_edit,
    names_edit,
    undo_edit,
)
from api.people.people import PeopleServices
from api.people.routes import cluster_items
from api.people.snapshot import CollectionSnapshot, with_state
from shared.errors import BadInput
from shared.people import edits as kinds
from shared.people.clustering import NO_CLUSTER
from shared.people.state import report
from shared.rights import KeyScope


def name_face_clusters(call: Call[NamesBody], services: PeopleServices) -> NamesAnswer:
    """Name people.

    Names are kept when the faces are grouped anew. Several clusters may share one; a search for
    that name then covers all of them. 409 where somebody edited one of them after
    `known_edit_id`.
    """
    body = call.body
    names = [
        _name(given.name, f"assignments[{n}].name") for n, given in enumerate(body.assignments)
    ]

    def make(snapshot: CollectionSnapshot) -> kinds.Names:
        clusters = [
            _person(snapshot, given.cluster_id, f"assignments[{n}].cluster_id")
            for n, given in enumerate(body.assignments)
        ]
        return names_edit(snapshot.state, list(zip(clusters, names, strict=True)))

    edit, _ = made_edit(services, body, make)
    assert isinstance(edit.what, kinds.Names)
    changes = {str(given.cluster_id): given.name for given in edit.what.assignments}
    return NamesAnswer(
        updated=len(changes),
        changes=changes,
        edit_id=UNSET if body.known_edit_id is None else edit.id,
    )


def made_edit(
    services: PeopleServices, body: OfEdit, make: Callable[[CollectionSnapshot], kinds.NewEdit]
) -> tuple[kinds.Edit, CollectionSnapshot]:
    """The edit that `make` derives, written, and the collection after it.

    Raises EditedMeanwhile where others touched the same since the edit that the caller knows of.
    """

    def checked(snapshot: CollectionSnapshot) -> kinds.NewEdit:
        return checked_since(
            snapshot.state, body.known_edit_id, lambda state: make(with_state(snapshot, state))
        )

    cache = services.caches.cache(services.paths.cache(body.cache_dir))
    hinders = None if body.known_edit_id is None else hindrance
    return services.people.edit(cache, body.cluster_job_name, checked, hinders)


def _name(name: str, field: str) -> str:
    try:
        return checked_person(name)
    except BadInput as error:
        raise BadInput(f"{field}: {error.message}") from error


def modify_face_clusters(call: Call[ModifyBody], services: PeopleServices) -> ModifyAnswer:
    """Merge people, move faces and voices.

    Merges come before moves, and either all is done or nothing. It holds when the faces are
    grouped anew, and can be taken back with /faces/edits/undo. New faces like those moved out
    of a cluster stay out of it. A face and a voice become one person by a merge of their
    clusters alone; `apart` refuses one that was proposed. 404 for unknown clusters, faces and
    voices, 409 where somebody edited the same after `known_edit_id`, or a cluster to move has
    not `face_count` faces or `voice_count` voices any more.
    """
    body = call.body
    _check_moves(body)
    before: list[CollectionSnapshot] = []

    def make(snapshot: CollectionSnapshot) -> kinds.Modify:
        before.append(snapshot)
        return _modification(snapshot, body)

    edit, snapshot = made_edit(services, body, make)
    done = edit.what
    assert isinstance(done, kinds.Modify)
    merged = {before[-1].state.root(id_) for merge in done.merges for id_ in merge.cluster_ids}
    return ModifyAnswer(
        merged=len(merged),
        moved=sum(len(move.face_ids) for move in done.moves),
        moved_voices=sum(len(move.voice_ids) for move in done.moves) or UNSET,
        clusters=cluster_items(snapshot, body.voices),
        new_cluster_ids=[str(move.target) for move in done.moves if move.is_new],
        edit_id=UNSET if body.known_edit_id is None else edit.id,
    )


def _check_moves(body: ModifyBody) -> None:
    if not body.merges and not body.moves and not body.apart:
        raise BadInput("There is nothing to do: give merges or moves.")
    for n, move in enumerate(body.moves):
        names_some = move.face_ids is not None or move.voice_ids is not None
        if names_some == (move.cluster_ids is not None):
            raise BadInput(
                f"moves[{n}]: give face_ids or cluster_ids, one of the two; voices go by "
                "voice_ids beside face_ids, or with their cluster_ids."
            )
        for field in ("face_count", "voice_count"):
            if getattr(move, field) is not None and move.cluster_ids is None:
                raise BadInput(f"moves[{n}].{field}: give it with cluster_ids, or not at all.")
    for field, kind in (("face_ids", "faces"), ("voice_ids", "voices")):
        count = sum(len(getattr(move, field) or ()) for move in body.moves)
        if count > MOST_MOVED:
            raise BadInput(
                f"moves name {count:,} {kind}, more than the {MOST_MOVED:,} of one request: "
                "send several requests, or name whole clusters by cluster_ids."
            )


def _modification(snapshot: CollectionSnapshot, body: ModifyBody) -> kinds.Modify:
    merges = []
    for n, merge in enumerate(body.merges):
        place = f"merges[{n}]"
        ids = tuple(
            _person(snapshot, id_, f"{place}.cluster_ids[{at}]")
            for at, id_ in enumerate(merge.cluster_ids)
        )
        target = _person(snapshot, merge.target_cluster_id, f"{place}.target_cluster_id")
        merges.append((ids, target))
    moves: list[tuple[ToMove, int | None]] = []
    for n, move in enumerate(body.moves):
        moved, goal = _moved(snapshot, move, f"moves[{n}]"), move.target_cluster_id
        to = None if goal is None else snapshot.known(goal, f"moves[{n}].target_cluster_id")
        moves.append((moved, to))
    apart = []
    for n, pair in enumerate(body.apart):
        place = f"apart[{n}].cluster_ids"
        one, other = (
            _person(snapshot, id_, f"{place}[{at}]") for at, id_ in enumerate(pair.cluster_ids)
        )
        apart.append((one, other))
    return modify_edit(snapshot.state, merges, moves, apart)


def _moved(snapshot: CollectionSnapshot, move: Move, place: str) -> ToMove:
    if move.cluster_ids is None:
        return FacesAndVoices(move.face_ids or (), move.voice_ids or ())
    clusters = tuple(
        _person(snapshot, id_, f"{place}.cluster_ids[{n}]")
        for n, id_ in enumerate(move.cluster_ids)
    )
    return WholeClusters(clusters, move.face_count, move.voice_count)


def _person(snapshot: CollectionSnapshot, cluster_id: ClusterId, field: str) -> int:
    found = snapshot.known(cluster_id, field)
    if found == NO_CLUSTER:
        raise BadInput(f'{field}: "-1" stands for the faces in no cluster, which are no person.')
    return found


_LIMIT = whole_number(
    "limit", "Only so many of the newest. Left out: all of them.", 100_000, example=100
)
_BRIEF = flag(
    "brief",
    "`true` leaves `face_ids` of moves empty and `voice_ids` out, and tells "
    "`face_count` and `voice_count` instead.",
)


def list_face_edits(call: Call[None], services: PeopleServices) -> Edits:
    """What was changed by hand.

    The log of names, merges, moves and undos of faces and voices, which is never shortened. An
    edit that is about clusters or faces that are gone stays in it, with a reason, and is in
    force again when they come back.
    """
    limit, is_brief = _LIMIT.read(call.query), _BRIEF.read(call.query)
    cache = services.caches.cache(services.paths.cache(IN_CACHE_DIR.read(call.query)))
    found = report(services.people.open(cache, OF_COLLECTION.read(call.query)).state)
    shown = found[-limit:]  # 0: all
    return Edits(edits=[_edit_item(*entry, is_brief) for entry in shown])


def _edit_item(
    edit: kinds.Edit, applies: bool, reason: str | None, is_brief: bool
) -> answers.EditItem:
    what = edit.what
    named = what.assignments if isinstance(what, kinds.Names) else ()
    done = what if isinstance(what, kinds.Modify) else kinds.Modify()
    return answers.EditItem(
        edit_id=edit.id,
        at=edit.at,
        kind=str(what.__struct_config__.tag),
        assignments=[
            answers.NamedCluster(cluster_id=str(a.cluster_id), name=a.name) for a in named
        ],
        merges=[
            answers.DoneMerge(
                cluster_ids=[str(id_) for id_ in merge.cluster_ids],
                target_cluster_id=str(merge.target),
            )
            for merge in done.merges
        ],
        moves=[_done_move(move, is_brief) for move in done.moves],
        apart=[answers.DoneParting(cluster_ids=list(map(str, pair))) for pair in done.apart]
        or UNSET,
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


def undo_face_edits(call: Call[UndoBody], services: PeopleServices) -> UndoAnswer:
    """Take back what was changed by hand.

    Without `edit_id` the last edit in force is undone; with it, everything goes back to how it
    was right after that edit. Undoing is an edit itself, so it can be undone. 404 for an
    unknown edit, 400 when there is nothing to undo, 409 where somebody edited the collection
    after `known_edit_id`.
    """
    body = call.body

    def make(snapshot: CollectionSnapshot) -> kinds.Undo:
        to, in_force = body.edit_id, snapshot.state.in_force
        if to is None:
            if not in_force:
                raise BadInput("There is nothing to undo: no edit is in force.")
            to = ("", *in_force)[-2]  # the one before the last
        return undo_edit(snapshot.state.edits, to)

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


ENDPOINTS = (
    Endpoint(
        "PUT /faces/clusters/names", name_face_clusters, "Faces", KeyScope.PEOPLE, is_audited=True
    ),
    Endpoint(
        "POST /faces/clusters/modify",
        modify_face_clusters,
        "Faces",
        KeyScope.PEOPLE,
        is_audited=True,
        errors={BadInput: "There is nothing to do: give merges or moves."},
        example={"merges": [{}], "moves": [{"face_ids": ...}]},
    ),
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
