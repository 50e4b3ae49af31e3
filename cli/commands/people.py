"""`rushes people`: who is seen in the footage; names, corrections, and taking them back."""

from __future__ import annotations

import sys
import unicodedata
from typing import Annotated, Any

import typer
from rich.text import Text

from api.people.bodies import ReclusterBody
from cli.api_client import ApiClient
from cli.arguments import declared
from cli.arguments.declared import Fields, with_fields
from cli.arguments.media_arguments import CacheOption, cache_dir, server_path
from cli.commands.tasks import end_of, name_of
from cli.options import argument, option
from cli.remote import Remote, remote
from cli.terminal.output import YesOption, confirmed, moment_of
from cli.terminal.pictures import Box, Painter, PicturesOption, painter
from shared.clock_times import timestamp
from shared.errors import BadInput, Missing
from shared.printable import printable

Place = dict[str, Any]  # a collection, as requests name it
NOBODY = "-1"  # the API's word for faces in no cluster
NONE = "none"  # ours: -1 would be taken for an option

CollectionOption = Annotated[
    str,
    option(
        "Default: the only one in the cache folder.",
        "--collection",
        autocompletion=declared.complete_collections,
    ),
]
WhoArgument = Annotated[
    str, argument("A cluster's id, a name, or `none`: faces in no cluster.", metavar="WHO")
]


def in_collection(api: ApiClient, cache: str, collection: str) -> Place:
    """The collection that is named, else the only one of the cache folder. Raises BadInput."""
    folder = cache_dir(cache)
    if not collection:
        answer = api.get("/faces/clusters", cache_dir=folder)
        names = [job["cluster_job_name"] for job in answer["cluster_jobs"]]
        if not names:
            raise BadInput(
                f"No collection of faces is in {folder}. Make one with `rushes analyze --faces "
                "--collection NAME`."
            )
        if len(names) > 1:
            raise BadInput(
                f"{folder} has several collections; choose one with --collection: "
                f"{', '.join(names)}."
            )
        collection = names[0]
    return {"cache_dir": folder, "cluster_job_name": collection}


def is_id(who: str) -> bool:
    """Whether `who` is the id of a cluster: digits are always one."""
    return who.isascii() and who.removeprefix("-").isdigit()


def ids_of(api: ApiClient, place: Place, who: str) -> list[str]:
    """Ids of the clusters that `who` means: several may share a name. Raises Missing."""
    if who == NONE:
        return [NOBODY]
    if is_id(who):
        return [who]
    (job,) = api.get("/faces/clusters", **place, voices="true")["cluster_jobs"]
    found = [str(c["cluster_id"]) for c in job["clusters"] if folded(c["name"]) == folded(who)]
    if not found:
        names = sorted({c["name"] for c in job["clusters"] if c["name"]})
        known = f"; names given so far: {', '.join(names)}" if names else ""
        raise Missing(f"Nobody in {place['cluster_job_name']} is called {who}{known}.")
    return found


def one_id_of(api: ApiClient, place: Place, who: str) -> str:
    """The one cluster that `who` means. Raises Missing, and BadInput where several are meant."""
    found = ids_of(api, place, who)
    if len(found) > 1:
        raise BadInput(
            f"{who} is the name of several clusters; name one by its id: {', '.join(found)}."
        )
    return found[0]


def shown_id(cluster_id: str) -> str:
    """A cluster's id as it can be typed."""
    return NONE if cluster_id == NOBODY else cluster_id


def folded(name: str | None) -> str:
    """A name for comparing, as searches compare names."""
    return unicodedata.normalize("NFC", name or "").casefold()


app = typer.Typer(no_args_is_help=True, help="Who is seen: names, corrections, taking them back.")
NEW = "new"
_VOICE = "-voice-"  # in the id of a voice
_MOST_FACES, _MOST_VOICES = 2000, 200  # in one answer of the API
_ENROLLING_S = 1200.0  # each photo may wait for a model
_DELETING_S = 3600.0  # thousands of files are written anew
_SAMPLES = 3  # pictures of a cluster
_FACE = Box(columns=10, rows=5)


@app.command("list", epilog='Example: rushes people list --collection "Season 1"')
@remote
def list_people(
    server: Remote,
    cache: CacheOption = "",
    collection: CollectionOption = "",
    at_most: Annotated[int, option("At most so many of each collection.", "--max", min=1)] = 50,
    pictures: PicturesOption = "auto",
) -> None:
    """List the people of the cache folder's collections, those seen most first."""
    folder = cache_dir(cache)
    query = {"cluster_job_name": collection} if collection else {}
    answer = server.api.get("/faces/clusters", cache_dir=folder, voices="true", **query)
    if server.out.document(answer):
        return
    if not answer["cluster_jobs"]:
        server.out.hint(
            f"There is no collection of faces in {folder}: `rushes analyze --collection NAME` "
            "makes one."
        )
    for job in answer["cluster_jobs"]:
        server.out.line(
            f"{job['cluster_job_name']}: {job['total_faces']:,} faces, grouped with eps "
            f"{job['eps']:g} and at least {job['min_samples']} faces a person"
        )
        shown = job["clusters"][:at_most]
        if brush := painter(pictures, server.out):
            body = {"cache_dir": folder, "cluster_job_name": job["cluster_job_name"]}
            _paint(server, brush, body, shown)
        else:
            _show_clusters(server, shown)
        if len(shown) < len(job["clusters"]):
            server.out.hint(f"{len(shown)} of {len(job['clusters']):,}; see more with --max.")


@app.command("show", epilog="Example: rushes people show Ada --limit 20")
@remote
def show_faces(
    server: Remote,
    who: WhoArgument,
    cache: CacheOption = "",
    collection: CollectionOption = "",
    limit: Annotated[int, option("At most so many.", min=1, max=_MOST_FACES)] = 50,
    offset: Annotated[int, option("Leave out so many first.", min=0)] = 0,
    pictures: PicturesOption = "auto",
) -> None:
    """Show the faces of a person: where each is seen, and its id for `people move`."""
    body = in_collection(server.api, cache, collection)
    ids = ids_of(server.api, body, who)
    answer = server.api.post(
        "/faces/clusters/faces", {**body, "cluster_ids": ids, "limit": limit, "offset": offset}
    )
    if server.out.document(answer):
        return
    _show_faces(answer["faces"], server, painter(pictures, server.out))
    if answer["has_more"]:
        behind = offset + len(answer["faces"])
        server.out.hint(f"{behind} of {answer['total']:,} faces; go on with --offset {behind}.")


@app.command("name", epilog="Example: rushes people name 2123020638 Ada")
@remote
def name_person(
    server: Remote,
    who: WhoArgument,
    name: Annotated[str, argument('The name; "" takes it away.')],
    cache: CacheOption = "",
    collection: CollectionOption = "",
) -> None:
    """Name a person. Clusters may share a name; searches for it then find them all."""
    body = in_collection(server.api, cache, collection)
    cluster = one_id_of(server.api, body, who)
    answer = server.api.put(
        "/faces/clusters/names", {**body, "assignments": [{"cluster_id": cluster, "name": name}]}
    )
    if server.out.document(answer):
        return
    for cluster_id, given in answer["changes"].items():
        server.out.line(f"{cluster_id} is {given}" if given else f"{cluster_id} has no name")
    if not answer["changes"]:
        server.out.line("nothing changed")


@app.command("merge", epilog="Example: rushes people merge 2058800870 --into Ada")
@remote
def merge_people(
    server: Remote,
    who: Annotated[list[str], argument("Ids or names of clusters.", metavar="WHO...")],
    into: Annotated[str, option("Id or name of who they are.")],
    cache: CacheOption = "",
    collection: CollectionOption = "",
) -> None:
    """Say that clusters are one and the same person."""
    body = in_collection(server.api, cache, collection)
    target = one_id_of(server.api, body, into)
    found = [cluster for one in who for cluster in ids_of(server.api, body, one)]
    sources = [cluster for cluster in dict.fromkeys(found) if cluster != target]
    merge = {"cluster_ids": sources, "target_cluster_id": target}
    answer = server.api.post("/faces/clusters/modify", {**body, "merges": [merge], "voices": True})
    if not server.out.document(answer):
        server.out.line(f"{answer['merged']} merged into {_named(answer['clusters'], target)}")


@app.command("move", epilog="Example: rushes people move 9ae0daaf81f5b2c3-67-7ff5c1 --to new")
@remote
def move_faces(
    server: Remote,
    face_ids: Annotated[
        list[str],
        argument(
            "Ids as `rushes people show` and `voices` print; - reads them from stdin.",
            metavar="FACE...",
        ),
    ],
    to: Annotated[str, option("Id or name of who they are; `new`: somebody new; `none`: nobody.")],
    cache: CacheOption = "",
    collection: CollectionOption = "",
) -> None:
    """Say whose faces and voices these are."""
    body = in_collection(server.api, cache, collection)
    target = None if to == NEW else one_id_of(server.api, body, to)
    ids = sys.stdin.read().split() if face_ids == ["-"] else face_ids
    voices = [one for one in ids if _VOICE in one]
    faces = [one for one in ids if _VOICE not in one]
    named = {"face_ids": faces} if faces or not voices else {}
    move = {**named, "target_cluster_id": target} | ({"voice_ids": voices} if voices else {})
    answer = server.api.post("/faces/clusters/modify", {**body, "moves": [move], "voices": True})
    if server.out.document(answer):
        return
    where = target if target is not None else answer["new_cluster_ids"][0]
    moved = answer["moved"] + answer.get("moved_voices", 0)
    server.out.line(f"{moved} moved to {_named(answer['clusters'], where)}")


@app.command("delete", epilog="Example: rushes people delete Ada --yes")
@remote
def delete_person(
    server: Remote,
    who: WhoArgument,
    cache: CacheOption = "",
    collection: CollectionOption = "",
    yes: YesOption = False,
) -> None:
    """Delete a person's faces and names from everything derived. It cannot be undone.

    A name means everybody of that name in all collections of the cache folder, an id one cluster.
    """
    body: dict[str, Any] = {"cache_dir": cache_dir(cache)}
    if is_id(who):
        body = {**in_collection(server.api, cache, collection), "cluster_id": who}
    elif collection:
        raise BadInput("A name goes from all collections. Leave --collection out, or name an id.")
    else:
        body["name"] = who
    planned = server.api.post("/faces/people/delete", body)
    for found in planned["collections"] if not server.out.as_json else ():
        names = ", ".join(found["names"]) or "without a name"
        ids = ", ".join(found["cluster_ids"]) or "only named in the log"
        server.out.line(
            f"{found['cluster_job_name']}: {names} ({ids}), {found['face_count']:,} faces"
        )
    if not confirmed(server.out, yes):
        server.out.document(planned)
        return
    answer = server.api.post("/faces/people/delete", {**body, "dry_run": False}, _DELETING_S)
    server.out.message(answer)


@app.command("recluster", epilog="Example: rushes people recluster --eps 0.42")
@remote
@with_fields(ReclusterBody)
def recluster_people(
    server: Remote,
    fields: Fields,
    cache: CacheOption = "",
    collection: CollectionOption = "",
    detach: Annotated[bool, option("Do not wait for the end.", "--detach")] = False,
) -> None:
    """Group the faces anew. Ids, names, merges and moves stay where they still fit."""
    body = in_collection(server.api, cache, collection)
    end_of(server, server.api.post("/faces/recluster", body | fields), detach)


@app.command("edits", epilog="Example: rushes people edits")
@remote
def list_edits(server: Remote, cache: CacheOption = "", collection: CollectionOption = "") -> None:
    """List what was changed by hand, the newest last. Nothing is ever taken out of this log."""
    body = in_collection(server.api, cache, collection)
    answer = server.api.get("/faces/edits", **body)
    rows = ((e["edit_id"], moment_of(e["at"]), _what(e), _force(e)) for e in answer["edits"])
    server.out.listing(answer, ("!edit", "when", "what", "in force"), rows)


@app.command("undo", epilog="Example: rushes people undo")
@remote
def undo_edits(
    server: Remote,
    cache: CacheOption = "",
    collection: CollectionOption = "",
    to: Annotated[
        str,
        option(
            "Back to how it was right after this edit. Default: the last edit is undone.",
            metavar="EDIT",
        ),
    ] = "",
    everything: Annotated[bool, option("Back to before the first edit.", "--all")] = False,
) -> None:
    """Take back what was changed by hand. An undo is an edit, so it can be undone too."""
    body = in_collection(server.api, cache, collection)
    if to or everything:
        body["edit_id"] = to
    answer = server.api.post("/faces/edits/undo", {**body, "voices": True})
    if not server.out.document(answer):
        server.out.line(answer["message"])
        _show_clusters(server, answer["clusters"])


def _force(edit: dict[str, Any]) -> str:
    if edit["applies"]:
        return "yes"
    return f"no: {edit['reason']}" if edit["reason"] else "no"


def _show_faces(faces: list[dict[str, Any]], server: Remote, brush: Painter | None) -> None:
    rows = []
    for face in faces:
        sure = "" if face["detection_score"] is None else f"{face['detection_score']:.2f}"
        where = name_of(face["media_path"]) or face["hash_str"]
        rows.append((face["face_id"], where, face["timestamp"], sure))
        if brush is not None:
            brush.show([face["image"] or ""], [Text(printable(word)) for word in rows[-1]], _FACE)
    if brush is None:
        server.out.table(("!face", "file", "time", "sure"), rows)


def _paint(
    server: Remote, brush: Painter, body: dict[str, Any], clusters: list[dict[str, Any]]
) -> None:
    ids = [cluster["cluster_id"] for cluster in clusters]
    asked = {**body, "cluster_ids": ids, "samples_per_cluster": _SAMPLES}
    samples = server.api.post("/faces/clusters/samples", asked)["samples"]
    for cluster in clusters:
        faces = [face["image"] or "" for face in samples.get(cluster["cluster_id"], ())]
        shown, name, count = _words(cluster)
        words = [word for word in (name, shown, f"{count} faces") if word]
        brush.show(faces, [Text(printable(word)) for word in words], _FACE)


def _show_clusters(server: Remote, clusters: list[dict[str, Any]]) -> None:
    rows = ((*_words(cluster), _voices_of(cluster)) for cluster in clusters)
    server.out.table(("cluster", "name", ">faces", ">?voices"), rows)


def _voices_of(*clusters: dict[str, Any]) -> str:
    """The number of voices; nothing where no voice was looked for."""
    counts = [cluster["voice_count"] for cluster in clusters if "voice_count" in cluster]
    return f"{sum(counts):,}" if counts else ""


def _words(cluster: dict[str, Any]) -> tuple[str, str, str]:
    shown = shown_id(cluster["cluster_id"])
    name = "in no cluster" if shown == NONE else cluster["name"] or ""
    return shown, name, f"{cluster['face_count']:,}"


def _named(clusters: list[dict[str, Any]], cluster_id: str) -> str:
    found = next((c for c in clusters if c["cluster_id"] == cluster_id), None)
    if found is None:
        return shown_id(cluster_id)
    name = f" ({found['name']})" if found["name"] else ""
    held = _counted(found["face_count"], found.get("voice_count", 0))
    return f"{shown_id(cluster_id)}{name}, {held}"


def _counted(faces: int, voices: int) -> str:
    kinds = (("face", faces), ("voice", voices))
    told = [
        f"{count:,} {kind}{'' if count == 1 else 's'}"
        for kind, count in kinds
        if count or (kind == "face" and not voices)
    ]
    return " and ".join(told)


def _what(edit: dict[str, Any]) -> str:
    words = [f"{one['cluster_id']} is {one['name'] or 'nameless'}" for one in edit["assignments"]]
    for merge in edit["merges"]:
        words.append(f"{', '.join(merge['cluster_ids'])} into {merge['target_cluster_id']}")
    for move in edit["moves"]:
        who = _counted(len(move["face_ids"]), len(move.get("voice_ids", ())))
        new = "new " if move["is_new"] else ""
        words.append(f"{who} to {new}{shown_id(move['target_cluster_id'])}")
    for pair in edit.get("apart", ()):
        words.append(f"{' and '.join(pair['cluster_ids'])} are two")
    if edit["undone_to"] is not None:
        after = edit["undone_to"]
        words.append(f"back to right after {after}" if after else "back to before the first edit")
    return "; ".join(words) or str(edit["kind"])


@app.command("enroll", epilog="Example: rushes people enroll Ada ada-1.jpg ada-2.jpg")
@remote
def enroll_person(
    server: Remote,
    name: Annotated[str, argument("What the person is called.")],
    pictures: Annotated[
        list[str],
        argument("Photos on which the person is seen alone, from the front.", metavar="PICTURE..."),
    ],
    cache: CacheOption = "",
) -> None:
    """Make a person known by photos, in every collection of the cache folder."""
    paths = [server_path(picture) for picture in pictures]
    body = {"cache_dir": cache_dir(cache), "name": name, "pictures": paths}
    server.out.message(server.api.post("/faces/people", body, _ENROLLING_S))


@app.command("known", epilog="Example: rushes people known --all")
@remote
def list_named_people(
    server: Remote,
    cache: CacheOption = "",
    everywhere: Annotated[
        bool, option("In all cache folders that the server knows.", "--all")
    ] = False,
) -> None:
    """List everybody who has a name: given by hand, or enrolled from photos."""
    place = {} if everywhere else {"cache_dir": cache_dir(cache)}
    answer = server.api.get("/faces/people", **place)
    rows = (
        (
            person["name"],
            str(person["references"] or ""),
            f"{sum(place['face_count'] for place in person['collections']):,}",
            _voices_of(*person["collections"]),
            ", ".join(dict.fromkeys(place["cluster_job_name"] for place in person["collections"])),
        )
        for person in answer["people"]
    )
    empty = "Nobody has a name yet: `rushes people name` gives one."
    server.out.listing(answer, ("name", ">photos", ">faces", ">?voices", "in"), rows, empty)


@app.command("vocabulary", epilog='Example: rushes people vocabulary "Season 1" Kestrelhaven')
@remote
def collection_vocabulary(
    server: Remote,
    collection: Annotated[str, argument("The collection.")],
    words: Annotated[
        list[str] | None,
        argument("Its words from now on, the most important first.", metavar="[WORD...]"),
    ] = None,
    clear: Annotated[bool, option("Leave it without words.", "--clear")] = False,
    cache: CacheOption = "",
) -> None:
    """Show or replace the words that the speech model is told of for a collection."""
    if words and clear:
        raise BadInput("Give words or --clear, not both.")
    body: dict[str, Any] = {"cache_dir": cache_dir(cache), "cluster_job_name": collection}
    if words or clear:
        body["vocabulary"] = words or []
    answer = server.api.post("/faces/collections/vocabulary", body)
    if not server.out.document(answer):
        server.out.line(answer["message"])
        for word in answer["vocabulary"]:
            server.out.line(f"  {word}")


@app.command("voices", epilog="Example: rushes people voices Ada")
@remote
def show_voices(
    server: Remote,
    who: WhoArgument,
    cache: CacheOption = "",
    collection: CollectionOption = "",
    limit: Annotated[int, option("At most so many of each cluster.", min=1, max=_MOST_VOICES)] = 50,
    after: Annotated[str, option("Where the page before ended.", metavar="VOICE")] = "",
) -> None:
    """Show the voices of a person: what each says, and its id for `people move`."""
    body = in_collection(server.api, cache, collection)
    ids = ids_of(server.api, body, who)
    if after and len(ids) > 1:
        raise BadInput(f"{who} is several clusters: with --after name one, {', '.join(ids)}.")
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    for cluster in ids:
        asked = {**body, "cluster_id": cluster, "limit": limit, "after": after or None}
        page = server.api.post("/faces/clusters/voices", asked)
        found += page["voices"]
        if following := page.get("next"):
            more[cluster] = following
    if server.out.document({"voices": found, "next": more}):
        return
    rows = [
        (
            voice["voice_id"],
            name_of(voice["media_path"]) or voice["hash_str"],
            voice["speaker"],
            f"{voice['seconds']:.0f} s",
            f"{timestamp(int(voice['excerpt']['start_seconds']))} {voice['text'] or ''}",
        )
        for voice in found
    ]
    server.out.table(("!voice", "file", "speaker", ">speaks", "says"), rows)
    for cluster, following in more.items():
        server.out.hint(f"{shown_id(cluster)} has more voices; go on with --after {following}")


@app.command("apart", epilog="Example: rushes people apart 70001 Ada")
@remote
def tell_apart(
    server: Remote,
    one: WhoArgument,
    other: WhoArgument,
    cache: CacheOption = "",
    collection: CollectionOption = "",
) -> None:
    """Say that two are not the same person: they are not proposed again."""
    body = in_collection(server.api, cache, collection)
    pair = [one_id_of(server.api, body, who) for who in (one, other)]
    apart = {"apart": [{"cluster_ids": pair}], "voices": True}
    answer = server.api.post("/faces/clusters/modify", {**body, **apart})
    if not server.out.document(answer):
        server.out.line(f"{pair[0]} and {pair[1]} are two.")


@app.command("proposals", epilog="Example: rushes people proposals")
@remote
def list_proposals(
    server: Remote, cache: CacheOption = "", collection: CollectionOption = ""
) -> None:
    """List faces that are seen while a voice speaks; `people merge` makes the two one."""
    answer = server.api.get("/faces/proposals", **in_collection(server.api, cache, collection))
    rows = (
        (
            _called(one["voice_cluster_id"], one["voice_name"]),
            _called(one["face_cluster_id"], one["face_name"]),
            f"{one['seconds_together']} of {one['seconds_spoken']} s",
            ", ".join(name_of(path) or path for path in one["media_paths"]),
        )
        for one in answer["proposals"]
    )
    empty = "No face is clearly seen while one voice speaks, and not while others do."
    server.out.listing(answer, ("voice", "face", ">together", "in"), rows, empty)


def _called(cluster_id: str, name: str | None) -> str:
    return f"{cluster_id} ({name})" if name else cluster_id
