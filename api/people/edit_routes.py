"""What users say about people: names, merges, moves; the log of it; taking it back."""

from __future__ import annotations

from collections.abc import Sequence

from api.http.bodies import LONGEST_TEXT
from api.http.endpoint import Call, Endpoint, Parameter
from api.people import answers
from api.people.answers import Edits, ModifyAnswer, NamesAnswer, UndoAnswer
from api.people.bodies import MOST_MOVED, ClusterId, ModifyBody, NamesBody, UndoBody
from api.people.editing import checked_person, modify_edit, names_edit, undo_edit
from api.people.routes import IN_CACHE_DIR, cluster_items
from api.people.snapshot import CollectionSnapshot
from api.services import Services
from shared.errors import BadInput, Missing
from shared.people import edits as kinds
from shared.people.clustering import NO_CLUSTER
from shared.rights import KeyScope


async def name_face_clusters(call: Call[NamesBody]) -> NamesAnswer:
    """Name clusters, or take names away."""
    return await call.services.in_cache_dir(call.body.cache_dir, _names, call.services, call.body)


def _names(services: Services, body: NamesBody) -> NamesAnswer:
    def make(snapshot: CollectionSnapshot) -> kinds.Names:
        named = [
            (
                _person(snapshot, given.cluster_id, f"assignments[{n}].cluster_id"),
                _name(given.name, f"assignments[{n}].name"),
            )
            for n, given in enumerate(body.assignments)
        ]
        return names_edit(snapshot.state, named)

    cache = services.caches.cache(services.paths.cache(body.cache_dir))
    edit, _ = services.people.edit(cache, body.cluster_job_name, make)
    assert isinstance(edit.what, kinds.Names)
    changes = {str(given.cluster_id): given.name for given in edit.what.assignments}
    return NamesAnswer(updated=len(changes), changes=changes)


def _name(name: str, field: str) -> str:
    try:
        return checked_person(name)
    except BadInput as error:
        raise BadInput(f"{field}: {error.message}") from error


async def modify_face_clusters(call: Call[ModifyBody]) -> ModifyAnswer:
    """Merge clusters, move faces; all or nothing."""
    return await call.services.in_cache_dir(call.body.cache_dir, _modify, call.services, call.body)


def _modify(services: Services, body: ModifyBody) -> ModifyAnswer:
    if not body.merges and not body.moves:
        raise BadInput("There is nothing to do: give merges or moves.")
    count = sum(len(move.face_ids) for move in body.moves)
    if count > MOST_MOVED:
        raise BadInput(
            f"moves name {count:,} faces, more than the {MOST_MOVED:,} of one request: "
            "send several requests, or merge clusters instead."
        )
    before: list[CollectionSnapshot] = []

    def make(snapshot: CollectionSnapshot) -> kinds.Modify:
        before.append(snapshot)
        return _modification(snapshot, body)

    cache = services.caches.cache(services.paths.cache(body.cache_dir))
    edit, snapshot = services.people.edit(cache, body.cluster_job_name, make)
    done = edit.what
    assert isinstance(done, kinds.Modify)
    merged = {before[0].state.root(id_) for merge in done.merges for id_ in merge.cluster_ids}
    return ModifyAnswer(
        merged=len(merged),
        moved=sum(len(move.face_ids) for move in done.moves),
        clusters=cluster_items(snapshot),
        new_cluster_ids=[str(move.target) for move in done.moves if move.is_new],
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
    moves = []
    for n, move in enumerate(body.moves):
        asked = move.target_cluster_id
        to = None if asked is None else snapshot.known(asked, f"moves[{n}].target_cluster_id")
        moves.append((move.face_ids, to))
    return modify_edit(snapshot.state, merges, moves)


def _person(snapshot: CollectionSnapshot, cluster_id: ClusterId, field: str) -> int:
    """The id of a cluster that stands for a person."""
    found = snapshot.known(cluster_id, field)
    if found == NO_CLUSTER:
        raise BadInput(f'{field}: "-1" stands for the faces in no cluster, which are no person.')
    return found


async def list_face_edits(call: Call[None]) -> Edits:
    """Everything that was said, and what of it is in force."""
    cache_dir, name = call.required("cache_dir"), call.required("cluster_job_name")
    return await call.services.in_cache_dir(cache_dir, _edits, call.services, cache_dir, name)


def _edits(services: Services, cache_dir: str, name: str) -> Edits:
    cache = services.caches.cache(services.paths.cache(cache_dir))
    snapshot = services.people.open(cache, name)
    return Edits(
        edits=[
            _edit_item(edit, applies, reason) for edit, applies, reason in snapshot.state.report()
        ]
    )


def _edit_item(edit: kinds.Edit, applies: bool, reason: str | None) -> answers.EditItem:
    what = edit.what
    assignments = what.assignments if isinstance(what, kinds.Names) else ()
    merges = what.merges if isinstance(what, kinds.Modify) else ()
    moves = what.moves if isinstance(what, kinds.Modify) else ()
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
        moves=[
            answers.DoneMove(
                face_ids=list(move.face_ids),
                target_cluster_id=str(move.target),
                is_new=move.is_new,
            )
            for move in moves
        ],
        undone_to=what.to if isinstance(what, kinds.Undo) else None,
        applies=applies,
        reason=reason or None,
    )


async def undo_face_edits(call: Call[UndoBody]) -> UndoAnswer:
    """Take edits back. The undo is an edit too, so it can be undone."""
    return await call.services.in_cache_dir(call.body.cache_dir, _undo, call.services, call.body)


def _undo(services: Services, body: UndoBody) -> UndoAnswer:
    def make(snapshot: CollectionSnapshot) -> kinds.Undo:
        log = snapshot.state.edits
        return undo_edit(log, before_the_last(log) if body.edit_id is None else body.edit_id)

    cache = services.caches.cache(services.paths.cache(body.cache_dir))
    edit, snapshot = services.people.edit(cache, body.cluster_job_name, make)
    assert isinstance(edit.what, kinds.Undo)
    message = (
        f"Everything is as it was right after the edit {edit.what.to}."
        if edit.what.to
        else "Everything is as it was before the first edit."
    )
    return UndoAnswer(message=message, edit_id=edit.id, clusters=cluster_items(snapshot))


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


_COLLECTION = {"cache_dir": "/footage/.rushes", "cluster_job_name": "Season 1"}
_FACE_ID = "9ae0daaf81f5b2c3-67-7ff5c1"
_EDIT = {
    "edit_id": "000000000012-9f3a01c7",
    "at": 1764028800.0,
    "kind": "modify",
    "assignments": [],
    "merges": [{"cluster_ids": ["77031420"], "target_cluster_id": "418350733"}],
    "moves": [{"face_ids": [_FACE_ID], "target_cluster_id": "1304125", "is_new": True}],
    "undone_to": None,
    "applies": True,
    "reason": None,
}

ENDPOINTS = (
    Endpoint(
        "PUT",
        "/faces/clusters/names",
        name_face_clusters,
        scope=KeyScope.PEOPLE,
        is_audited=True,
        tag="Faces",
        summary="Name people",
        description="Names are kept when the faces are grouped anew. Several clusters may share "
        "one; a search for that name then covers all of them.",
        body=NamesBody,
        answer=NamesAnswer,
        errors={Missing: "There is no collection 'Season 2' in this cache folder."},
        example={**_COLLECTION, "assignments": [{"cluster_id": "418350733", "name": "Ada"}]},
        answer_example={"updated": 1, "changes": {"418350733": "Ada"}},
    ),
    Endpoint(
        "POST",
        "/faces/clusters/modify",
        modify_face_clusters,
        scope=KeyScope.PEOPLE,
        is_audited=True,
        tag="Faces",
        summary="Merge people, move faces",
        description="Merges come before moves, and either all is done or nothing. It holds when "
        "the faces are grouped anew, and can be taken back with /faces/edits/undo. New faces like "
        "those moved out of a cluster stay out of it. 404 for unknown clusters and faces.",
        body=ModifyBody,
        answer=ModifyAnswer,
        errors={
            BadInput: "There is nothing to do: give merges or moves.",
            Missing: "There is no collection 'Season 2' in this cache folder.",
        },
        example={
            **_COLLECTION,
            "merges": [{"cluster_ids": ["77031420"], "target_cluster_id": "418350733"}],
            "moves": [{"face_ids": [_FACE_ID], "target_cluster_id": None}],
        },
        answer_example={
            "merged": 1,
            "moved": 1,
            "clusters": [
                {"cluster_id": "418350733", "name": "Ada", "face_count": 907},
                {"cluster_id": "1304125", "name": None, "face_count": 1},
                {"cluster_id": "-1", "name": None, "face_count": 41},
            ],
            "new_cluster_ids": ["1304125"],
        },
    ),
    Endpoint(
        "GET",
        "/faces/edits",
        list_face_edits,
        scope=KeyScope.PEOPLE,
        tag="Faces",
        summary="What was changed by hand",
        description="The log of names, merges, moves and undos, which is never shortened. An edit "
        "that is about clusters or faces that are gone stays in it, with a reason, and is in force "
        "again when they come back.",
        query=(
            IN_CACHE_DIR,
            Parameter(
                "cluster_job_name",
                "The collection.",
                {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT},
                "Season 1",
                required=True,
            ),
        ),
        answer=Edits,
        errors={
            BadInput: "cluster_job_name is required.",
            Missing: "There is no collection 'Season 2' in this cache folder.",
        },
        answer_example={"edits": [_EDIT]},
    ),
    Endpoint(
        "POST",
        "/faces/edits/undo",
        undo_face_edits,
        scope=KeyScope.PEOPLE,
        is_audited=True,
        tag="Faces",
        summary="Take back what was changed by hand",
        description="Without `edit_id` the last edit in force is undone; with it, everything goes "
        "back to how it was right after that edit. Undoing is an edit itself, so it can be undone. "
        "404 for an unknown edit, 400 when there is nothing to undo.",
        body=UndoBody,
        answer=UndoAnswer,
        errors={
            BadInput: "There is nothing to undo: no edit is in force.",
            Missing: "There is no collection 'Season 2' in this cache folder.",
        },
        example={**_COLLECTION, "edit_id": "000000000011-1b2c3d4e"},
        answer_example={
            "message": "Everything is as it was right after the edit 000000000011-1b2c3d4e.",
            "edit_id": "000000000013-5f6a7b8c",
            "clusters": [{"cluster_id": "418350733", "name": "Ada", "face_count": 812}],
        },
    ),
)
