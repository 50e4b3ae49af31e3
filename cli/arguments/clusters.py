"""Collections and clusters as they are typed: by id, or by the name that a person was given."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from cli.api_client import ApiClient
from cli.arguments import completing
from cli.arguments.media_arguments import cache_dir
from cli.options import argument, option
from shared.errors import BadInput, Missing

Place = dict[str, Any]  # a collection, as requests name it
NOBODY = "-1"  # the API's word for faces in no cluster
NONE = "none"  # ours: -1 would be taken for an option

CollectionOption = Annotated[
    str,
    option(
        "Default: the only one in the cache folder.",
        "--collection",
        autocompletion=completing.collections,
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
