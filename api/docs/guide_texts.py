"""Prose of the API's documentation that belongs to no single endpoint."""

from __future__ import annotations

from string import Template

_INTRODUCTION = Template("""\
Makes footage searchable: analyze videos, stills and speech, watch the progress, search by words, \
by a picture, by a frame or by what was said. Compatible with the Jumper Public API v1.

**Key.** Everything except `GET /health`, `GET /ready` and the documentation needs a licence key: \
header `X-License-Key`, or `license_key` in the JSON body; the header wins. GET and DELETE: \
header only. A key may be kept to scopes, which each operation names, and to folders; what it \
lacks is a 403. A browser that is signed in to the console brings a cookie instead, which counts \
with requests of the console's own page alone.

**Bodies.** JSON, whatever the Content-Type says. An absent or empty body equals `{}`. Unknown \
keys are ignored, and named in the header `X-Rushes-Warnings` (a JSON array of sentences); `null` \
for an optional key equals leaving it out, and so does `""` for an optional text that does not say \
what empty means. Empty optional parameters of a URL equal leaving them out, too.

**Errors.** Always `{"error": <short label>, "message": <what to do>}`. Checks run in this order: \
route, key, body. A 503, and a 409 of a busy server, says in `Retry-After` how many seconds to \
wait. Batch answers keep the request's order; a bad item is reported in its own slot and the call \
stays 200.

**Times.** A time in a request is a number of seconds, `MM:SS` or `HH:MM:SS[.mmm]`. Answers give \
numbers as `*_seconds` and `HH:MM:SS` as `timestamp`.

**Paths.** Absolute paths that the backend can open. With RUSHES_PATH_MAP clients send and get \
back their own form. A path outside the allowed roots: 403 `Path not allowed`. In a list a path \
that can be used by none (empty, relative, of a drive or share that is mapped to nothing) is its \
own item's error.

**hash_str** identifies a media file by its content: the same file has the same id under every \
path and on every machine. 16 hex digits; treat it as opaque.

**Languages.** Answers name a language by its lower-case English name ("english"). Requests may \
also give an ISO code ("en", "eng"), a tag ("en-US"), or "auto" to have it detected.

**cache_dir** is the folder that holds the analysis data; the caller chooses it. It may be shared \
between machines. Deleting it costs the time to analyze again, and what was done by hand to \
people (names, merges, moves); never media.

**Progress (Socket.IO).** Same port, path `$root/socket.io/`. Emit `join` with a `task_id` (a \
string, or `{"task_id": …}`): it is acknowledged with `Joined`, and the latest state is sent at \
once as a `progress` event, perhaps before the acknowledgement, so a task that ended before the \
join is not missed. `leave` undoes it. The \
payload is `TaskProgress`, the fields of `GET /tasks/{task_id}`; about four events a second at the \
most; the first and the last always come. `type` says which part of the work the numbers are \
about: "video" pictures, "audio" speech; `overall_progress` is about all of it. The end is an \
event with status `completed`, `cancelled` or `failed`. A handshake without a key may join task \
ids unless RUSHES_SOCKET_AUTH=required; a key goes into `auth.license_key` or the `X-License-Key` \
header, and a wrong key is refused. Joining an unknown id is acknowledged with `ErrorBody`. A join \
while Redis is away is kept: `message` of `Joined` says so, and the state comes, or that the task \
is lost, when Redis is back.

**Watch folders (Socket.IO).** `join` with `watch-folders` needs a socket that came with a key \
that has the scope `watch`. It is sent `WatchProgress` as a `progress` event, at once and after \
every change: the fields of `GET /watch-folders/service/status`, with `task_id` "watch-folders" \
and `type` "ingest". This room has no end.

**All tasks (Socket.IO).** `join` with `tasks` needs a socket that came with a key. It is sent \
`TasksChanged` as a `progress` event, at once and whenever a task begins, moves on or ends, at \
most once a second: then `GET /tasks` has something new. This room has no end.

**Beside the API.** `/metrics` at the root of the port, for Prometheus, open to all unless \
RUSHES_METRICS=off. This document is `$root/api/v1/openapi.json` and `.yaml`, also under \
`$root/api-reference/openapi.json` and `$root/api-reference/openapi-v1.yaml`; the reference page \
is `$root/api/v1/docs`, the guide in Markdown `$root/api-reference/public-api-v1.md`; \
`$root/llms.txt` and `$root/llms-full.txt` are for language models. A method that a path does not \
know is answered 405, with `Allow`.
""")
TAGS = {
    "Health": "Is the server there?",
    "Models": "Which models there are, which is loaded, which answers.",
    "Media": "What a file is: its id, its streams, its times.",
    "Analysis": "One analysis at a time per server, keys take turns; progress over Socket.IO or "
    "`GET /tasks`.",
    "Analysis data": "Results are loaded before searching; what is missing is loaded on demand.",
    "Search": "By words, by a picture, by a frame (best first, one frame a scene, no scores), and "
    "by what was said.",
    "Thumbnails": "Pictures of moments, from the stored grid or straight from the file.",
    "Cache paths": "Where the results of a file lie.",
    "Transcriptions": "Speech as text, with times. Segments go into exports as they are.",
    "Faces": "People: clusters of faces and voices, their names, corrections.",
    "Watch folders": "Folders whose new files are analysed by themselves.",
    "Webhooks": "Messages to other systems when something has happened; for administrators.",
    "Keys": "Licence keys, for administrators: who may do what, and how much each does.",
    "Console": "Signing a browser in to the console, and out.",
    "Exports": "Clips, timelines, transcripts as files.",
}


def introduction(root: str) -> str:
    """The first section; `root` is the path before all of ours, as clients see it."""
    return _INTRODUCTION.substitute(root=root)
