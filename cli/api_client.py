"""Client of the public API for our own command line: HTTP by httpx, progress by Socket.IO."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import httpx

from shared.errors import BadInput, RushesError

_WORDS = (
    (r"take them from /faces/clusters/(faces|voices)", "`rushes people show` lists them"),
    (r"GET /faces/edits", "`rushes people edits`"),
    (r"GET /faces/people", "`rushes people known`"),
    (r"PUT /faces/clusters/names", "`rushes people name`"),
    (r"GET /analysis-data/deletions", "`rushes data deletions`"),
    (r"GET /watch-folders", "`rushes watch list`"),
    (r"POST /watch-folders/service/start", "`rushes watch start`"),
    (r"POST /analyze", "`rushes analyze`"),
    (r"make it, or send create_dir: true", "make it first"),
    (r"with `speakers`", "with --speakers"),
    (r"is no (face|voice)_id", r"is no id of a \1"),
    (r'send model_type: "(\w+)"', r"name it with --type \1"),
    # Of what was typed, which the sentence names.
    (r"^(\w*paths|assignments|merges|moves|transcription_jobs)\[\d+\](\.\w+)?: ", ""),
)

FINAL = ("completed", "cancelled", "failed")
_TIMEOUT_S = 60.0
_LOADING_S = 120.0  # how long a call waits for a model that loads
_NO_WORKER, _NO_WORKER_S = "No worker available", 10.0
_LONGEST_PAUSE_S = 5.0
_REJOIN_S = 10.0
_POLL_S = 1.0
_AWAY_S = 60.0  # an API that restarts is back by then
_WATCH_ROOM = "watch-folders"
_API = "/api/v1"
_NAME = f"rushes-cli/{version('rushes')}"  # what a task's `client` is called
_NOT_UTF8 = re.compile(r'[^"]*[\ud800-\udfff][^"]*')

Event = dict[str, Any]


class ServerAway(RushesError):
    """The server does not answer."""


class Refused(RushesError):
    """The API answered with an error."""

    def __init__(self, status: int, label: str, message: str) -> None:
        self.status, self.label = status, label
        super().__init__(message)


class ApiClient:
    """A client of one server with one key. Raises Refused, and ServerAway for no answer.

    `patience_s`: how long one answer may take, and no longer for a model that loads.
    """

    def __init__(self, url: str, key: str | None = None, patience_s: float | None = None) -> None:
        self.url, self._key = _address(url), _key(key)
        self._patience_s = patience_s
        # Hears once why a call has to wait, and the warnings of an answer.
        self.tell: Callable[[str], None] = lambda _: None
        self.told: set[str] = set()  # warnings
        self._http = httpx.Client(
            base_url=f"{self.url}{_API}",
            headers={"User-Agent": _NAME, **({"X-License-Key": self._key} if self._key else {})},
            timeout=patience_s or _TIMEOUT_S,
            trust_env=not is_this_machine(self.url),  # a proxy for the internet is none for here
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: str) -> Any:
        return _document(self.call("GET", path, params=query or None))

    def ready(self, *required: str) -> Any:
        """What /ready answers, whatever its status; waits for nothing that is missing."""
        return _document(self._answer("GET", "/ready", params={"require": ",".join(required)}))

    def post(self, path: str, body: Any = None, timeout_s: float = _TIMEOUT_S) -> Any:
        return _document(self.call("POST", path, json=body or {}, timeout=timeout_s))

    def put(self, path: str, body: Any) -> Any:
        return _document(self.call("PUT", path, json=body))

    def delete(self, path: str) -> Any:
        return _document(self.call("DELETE", path))

    def call(self, method: str, path: str, **how: Any) -> httpx.Response:
        """The successful answer to a request. A 503 is asked again for up to two minutes.

        Where no worker is running, for ten seconds: one that is started anew is back by then.
        """
        deadline = time.monotonic() + (self._patience_s or _LOADING_S)
        no_worker_deadline = time.monotonic() + _NO_WORKER_S
        is_told = False
        while True:
            answer = self._answer(method, path, **how)
            if not answer.is_error:
                for warning in json.loads(answer.headers.get("X-Rushes-Warnings", "[]")):
                    if warning not in self.told:
                        self.told.add(warning)
                        self.tell(in_words_of_commands(warning))
                return answer
            refusal = _refusal(answer)
            is_in_vain = refusal.label == _NO_WORKER and time.monotonic() > no_worker_deadline
            if answer.status_code != 503 or is_in_vain or time.monotonic() > deadline:
                raise refusal
            if not is_told:
                self.tell(f"{_refusal(answer).message} Waiting for it.")
                is_told = True
            pause_s = float(answer.headers.get("Retry-After", 1))
            time.sleep(min(pause_s, _LONGEST_PAUSE_S))

    def _answer(self, method: str, path: str, **how: Any) -> httpx.Response:
        """The answer to a request, asked once. Raises ServerAway, and BadInput for odd names."""
        try:
            return self._http.request(method, path, **how)
        except httpx.TimeoutException as error:
            raise ServerAway(f"{self.url} did not answer in time ({path}).") from error
        except UnicodeEncodeError as error:
            name = _NOT_UTF8.search(error.object)
            raise BadInput(
                f"{name[0] if name else error.object!r} is not UTF-8: no request can hold it."
            ) from error
        except httpx.HTTPError as error:
            raise ServerAway(
                f"{self.url} does not answer: {error}. Is the server running, and is its "
                "address right (--server, RUSHES_SERVER)?"
            ) from error

    def follow(self, task_id: str) -> Iterator[Event]:
        """Progress of a Task to its last event: over Socket.IO, else by asking every second.

        Nothing is lost by coming late or by a connection that breaks: joining replays the newest
        state.
        """
        for event in self._events(task_id, f"/tasks/{task_id}"):
            yield event
            if event["status"] in FINAL:
                return

    def follow_watching(self) -> Iterator[Event]:
        """Status of the watch folders, over Socket.IO else by asking, without end."""
        yield from self._events(_WATCH_ROOM, "/watch-folders/service/status")

    def _events(self, room: str, path: str) -> Iterator[Event]:
        from socketio.exceptions import SocketIOError  # late: see _heard

        with contextlib.suppress(SocketIOError):
            yield from self._heard(room)
        yield from self._asked(path)

    def _heard(self, room: str) -> Iterator[Event]:
        # Imported here: it takes as long as all the rest of a command that follows no task.
        import socketio
        from socketio.exceptions import TimeoutError as NothingYet

        auth = {"license_key": self._key} if self._key else None
        # Its own answer to Ctrl-C breaks where a connection is just being made; ours is enough.
        with socketio.SimpleClient(handle_sigint=False) as socket:
            path = f"{urlsplit(self.url).path}/socket.io"  # below what a proxy puts before us
            socket.connect(self.url, transports=["websocket"], auth=auth, socketio_path=path)
            while True:
                refusal = socket.call("join", room, timeout=30)
                if isinstance(refusal, dict) and "error" in refusal:
                    raise Refused(404, refusal["error"], refusal.get("message", ""))
                # Silence: the connection may be a new one, which is in no room. Join again.
                with contextlib.suppress(NothingYet):
                    while True:
                        name, *payload = socket.receive(timeout=_REJOIN_S)
                        if name == "progress" and payload[0]["task_id"] == room:
                            yield payload[0]

    def _asked(self, path: str) -> Iterator[Event]:
        last_answer = time.monotonic()
        while True:
            try:
                event: Event = self.get(path)
                last_answer = time.monotonic()
            except ServerAway:
                if time.monotonic() - last_answer > _AWAY_S:
                    raise
            else:
                yield event
            time.sleep(_POLL_S)


def is_this_machine(url: str) -> bool:
    """Whether the URL names the loopback interface."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(server: str) -> str:
    """Address of a server: `studio:6699` is `http://studio:6699`. Raises BadInput."""
    url = (server if "://" in server else f"http://{server}").rstrip("/")
    url = url.removesuffix(f"{_API}/docs").removesuffix(_API).rstrip("/")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadInput(f"{server} is no address of a server: {error}.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadInput(f"{server} is no address of a server, such as http://studio:6699.")
    return url


def _key(given: str | None) -> str | None:
    """The key without the line end of a file. Raises BadInput; never tells the key."""
    key = (given or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise BadInput("The licence key (--key, RUSHES_KEY) has characters that no key has.")
    return key or None


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise _not_rushes(answer) from None


def _refusal(answer: httpx.Response) -> Refused:
    try:
        body = answer.json()
        message = in_words_of_commands(str(body["message"]))
        if answer.status_code == 401:
            message += ": name a licence key with --key, or set RUSHES_KEY."
        elif answer.status_code == 403 and "license" in str(body["error"]):
            message += ": this key (--key, RUSHES_KEY) is unknown, revoked, or a basic one."
        return Refused(answer.status_code, str(body["error"]), message)
    except (ValueError, KeyError, TypeError):
        return _not_rushes(answer)


def _not_rushes(answer: httpx.Response) -> Refused:
    return Refused(
        answer.status_code,
        f"HTTP {answer.status_code}",
        f"{answer.url} answered {answer.status_code}, which is no answer of Rushes: is the "
        "address right (--server, RUSHES_SERVER)?",
    )


def in_words_of_commands(message: str) -> str:
    """Return a message of the API as a user of the command line would put it."""
    for pattern, words in _WORDS:
        message = re.sub(pattern, words, message)
    return message
