"""Every setting: name, default, unit and help, read once from the environment, then frozen."""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import os
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import SettingsError

_PUBLIC_URL = re.compile(
    r"(?P<origin>https?://(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]+)?)"
    r"(?P<path>(/[\w.~-]+)*)/?",
    re.ASCII | re.IGNORECASE,
)
MOST_THREADS = 64  # that decode, in one process
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        found = next((word for word in allowed if word.lower() == raw.lower()), None)
        if found is None:
            raise ValueError(f"must be one of {', '.join(allowed)}, not {raw!r}.")
        return found

    return parse


def _number(least: int, most: int | None = None) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        try:
            number = int(raw)
        except ValueError:
            raise ValueError(f"must be a whole number, not {raw!r}.") from None
        if number < least or (most is not None and number > most):
            bounds = f"at least {least}" if most is None else f"{least} to {most}"
            raise ValueError(f"must be {bounds}, not {number}.")
        return number

    return parse


def _part(raw: str) -> float:
    try:
        part = float(raw)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 0.9:
        raise ValueError(f"must be 0 to 0.9, not {raw!r}.")
    return part


def _port(raw: str) -> int:
    if raw.startswith("tcp://"):
        raise ValueError(
            "is what Kubernetes says of a Service: give the pod `enableServiceLinks: false`, or "
            "set it to a port."
        )
    return _number(1, 65535)(raw)


def _device(raw: str) -> str:
    if not _DEVICE.fullmatch(raw.lower()):
        raise ValueError(f"must be auto, cpu, mps, cuda or cuda:N, not {raw!r}.")
    return raw.lower()


def _redis_url(raw: str) -> str:
    scheme, slashes, _ = raw.partition("://")
    if scheme not in ("redis", "rediss", "unix") or not slashes:
        given = f", not {scheme}://" if slashes and scheme.isalnum() else ""  # else: a password?
        raise ValueError(f"must begin with redis://, rediss:// or unix://{given}.")
    try:
        urllib.parse.urlsplit(raw).port  # noqa: B018 (reading it checks it)
    except ValueError:  # what it says may hold a part of the password
        raise ValueError(
            "is no address of a Redis (redis://:PASSWORD@HOST:PORT/0): its port is no number, or "
            "its password holds a /, # or ? that must be written %2F, %23 or %3F."
        ) from None
    return raw


def _web_address(raw: str) -> str:
    try:
        url = urllib.parse.urlsplit(raw)
        is_one = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        is_one = is_one and not url.query and not url.fragment  # a path comes after it
    except ValueError:
        is_one = False
    if not is_one:  # not repeated here: it may hold a password
        raise ValueError("must be an address such as http://collector:4318, without ? or #.")
    return raw


def _public_url(raw: str) -> str:
    """The address as browsers write it: lower case, no usual port, no slash at its end."""
    found = _PUBLIC_URL.fullmatch(raw)
    path = found["path"] if found else ""
    if not found or not _has_port(raw) or {".", ".."} & {*path.split("/")}:
        given = "" if "@" in raw else f", not {raw!r}"  # else: a password?
        raise ValueError(
            "must be an address such as https://studio.example/rushes, from http:// or https:// "
            f"to the end of a path, and nothing behind it{given}."
        )
    if path.endswith("/api/v1"):
        raise ValueError(f"must end before /api/v1, which is added to it: not {raw!r}.")
    origin = found["origin"].lower()
    usual = ":443" if origin.startswith("https") else ":80"
    return origin.removesuffix(usual) + path


def _has_port(url: str) -> bool:
    """Whether the port of an address, if it has one, is one."""
    try:
        return urllib.parse.urlsplit(url).port != 0
    except ValueError:
        return False


def _switch(raw: str) -> bool:
    words = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
    if raw.lower() not in words:
        raise ValueError(f"must be on or off, not {raw!r}.")
    return words[raw.lower()]


def _words(raw: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in raw.split(",") if part.strip())


def _extensions(raw: str) -> tuple[tuple[str, bool], ...]:
    """(".mod", True) adds, (".gif", False) removes."""
    changes = []
    for word in _words(raw):
        extension = word.lstrip("+-").removeprefix(".").lower()
        if not extension or not extension.isalnum():
            raise ValueError(f"must hold extensions such as +mod or -gif, not {word!r}.")
        changes.append((f".{extension}", not word.startswith("-")))
    return tuple(changes)


def _roots(raw: str) -> tuple[Path, ...]:
    roots = tuple(Path(part) for part in raw.split(":") if part)
    if not roots:
        raise ValueError(f"must name a folder, not {raw!r}.")
    for root in roots:
        if not root.is_absolute():
            raise ValueError(f"must hold absolute paths, not {root}.")
    return roots


def _path(raw: str) -> Path:
    try:
        path = Path(raw).expanduser()
    except RuntimeError:  # ~nobody, or a user without a home
        raise ValueError(f"must be a path, and {raw} names no home.") from None
    if not path.is_absolute():
        raise ValueError(f"must be an absolute path, not {raw}.")
    return path


def _pairs(raw: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for part in filter(None, (piece.strip() for piece in raw.split(";"))):
        client, equals, server = part.partition("=")
        if not equals or not client or not server.startswith("/"):
            raise ValueError(
                f"must hold client=server pairs with an absolute server path, not {part!r}."
            )
        pairs.append((client, server))
    return tuple(pairs)


# By the name of a setting, else by its type; others are text. A ValueError says what is wrong with
# the text, to stand behind the setting's name.
PARSERS: dict[str, Callable[[str], Any]] = {
    "bool": _switch,
    "int": _number(1),
    "int | None": _number(1),
    "tuple[str, ...]": _words,
    "tuple[Path, ...] | None": _roots,
    "Path": _path,
    "Path | None": _path,
    "port": _port,
    "redis_url": _redis_url,
    "device": _device,
    "traces_endpoint": _web_address,
    "public_url": _public_url,
    "decode_threads": _number(1, MOST_THREADS),
    "preview_cache_mb": _number(0),
    "watch_extensions": _extensions,
    "path_map": _pairs,
    "audio_streams": _one_of("mix", "first", "each"),
    "log_level": _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    "log_format": _one_of("text", "json"),
    "socket_auth": _one_of("optional", "required"),
    "on_busy": _one_of("replace", "replace-any", "queue", "refuse"),
    "ingest_share": _part,
}


PREFIX = "RUSHES_"
PARENT_FD = "RUSHES_PARENT_FD"  # from a supervisor to its child: the pipe between them
_MEDIA_ROOTS, _CACHE_ROOTS = "RUSHES_MEDIA_ROOTS", "RUSHES_CACHE_ROOTS"
# With our prefix, and read by others than the server's processes.
OTHER_VARIABLES = {
    "RUSHES_PYTHON": "The Python, 3.11 to 3.13, that makes the virtual environment.",
    "RUSHES_VENV": "Folder of the virtual environment. Unset: `.venv` in the clone.",
    "RUSHES_CI_BASE": "Commit since which changes count, where its argument does not name one.",
    "RUSHES_SERVER": "Address of the server. Unset: this machine, `RUSHES_PORT`.",
    "RUSHES_KEY": "Licence key to send. Unset, on the server's own machine: the first key.",
    "RUSHES_CACHE_DIR": "The cache folder, where `--cache` does not name one.",
}
_KUBERNETES = re.compile(r"RUSHES_(\w+_)?(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP))\w*")


def _setting(default: Any, help_text: str, unit: str = "") -> Any:
    return dataclasses.field(default=default, metadata={"help": help_text, "unit": unit})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of all processes. `Settings.from_env` is called in entry points only."""

    host: str = _setting("127.0.0.1", "Address the API listens on.")
    port: int = _setting(6699, "Port the API listens on.")
    state_dir: Path = _setting(
        Path("~/.local/state/rushes"),
        "Folder for this server's own data: the private Redis, keys, the search index.",
    )
    redis_url: str | None = _setting(
        None, "Redis to use, e.g. redis://redis:6379/0. Unset: `rushes up` runs a private one."
    )
    license_keys: tuple[str, ...] = _setting(
        (), "Comma-separated keys that count as Pro, for simple deployments."
    )
    media_roots: tuple[Path, ...] | None = _setting(
        None,
        "Colon-separated folders whose media may be read. Unset on loopback: every absolute path "
        "except STATE_DIR. Required as soon as HOST is not loopback.",
    )
    cache_roots: tuple[Path, ...] | None = _setting(
        None,
        "Colon-separated folders in which a cache_dir may lie. Unset on loopback: as MEDIA_ROOTS. "
        "Required as soon as HOST is not loopback.",
    )
    export_roots: tuple[Path, ...] | None = _setting(
        None,
        "Colon-separated folders into which exports may be written. Unset: MEDIA_ROOTS and "
        "CACHE_ROOTS together.",
    )
    path_map: tuple[tuple[str, str], ...] = _setting(
        (),
        "Semicolon-separated client=server path prefixes, longest prefix first wins, applied both "
        "ways: clients send and get back their own form. Example: Z:\\footage=/mnt/footage",
    )
    instance: str = _setting("default", "Name of this installation; prefixes every Redis key.")
    workers: int | None = _setting(
        None,
        "Analysis workers of this machine, which share its cores: so many `rushes up` starts. "
        "Unset: by the machine, one with a GPU, else one for each 2 cores and 3 GB.",
        "processes",
    )
    decode_threads: int | None = _setting(
        None,
        "Threads of an analysis worker that decode, 64 at the most. Unset: its share of the cores, "
        "of which a GPU keeps two, and one for each 0.4 GB at the most.",
        "threads",
    )
    query_workers: int | None = _setting(
        None,
        "Query workers that `rushes up` starts. Unset: one, and a second where its memory is free.",
        "processes",
    )
    device: str = _setting("auto", "auto, cpu, mps, cuda or cuda:N; auto prefers a GPU.")
    cors_origins: tuple[str, ...] = _setting(
        (),
        "Comma-separated origins that web views may call from, such as `https://mam.example`; "
        "`*` for any. On loopback `null`, `file://` and localhost origins are allowed besides, "
        "unless `none` is listed.",
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        "Comma-separated names by which requests may call this server, `*.example.com` for all "
        "below one, `*` for any. Addresses, `localhost` and the machine's own host name, also "
        "with `.local`, need no listing.",
    )
    public_url: str | None = _setting(
        None,
        "Address by which clients reach the API where a proxy before it has one of its own, such "
        "as https://studio.example/rushes. The API's documentation, its redirects and what "
        "`rushes up` prints follow it; its host needs no listing in ALLOWED_HOSTS.",
    )
    webhook_hosts: tuple[str, ...] = _setting(
        (),
        "Comma-separated hosts that webhooks may be sent to, `*.example.com` for all below one. "
        "Unset: none.",
    )
    on_busy: str = _setting(
        "replace",
        "What an analysis without `on_busy` does while another runs: replace (ends the same key's "
        "own), replace-any (ends whoever's), queue or refuse.",
    )
    ingest_share: float = _setting(
        0.1,
        "Part of the workers' time that watch folders get while analyses run, once they were held "
        "back for a minute; 0 for none.",
    )
    socket_auth: str = _setting(
        "optional", "optional: keyless sockets may join a task_id; required: they are refused."
    )
    metrics: bool = _setting(True, "on or off: serve /metrics.")
    console: bool = _setting(
        True,
        "on or off: serve the console at /, where browsers sign in; off: / leads to the docs.",
    )
    max_body_mb: int = _setting(64, "Largest request body.", "MiB")
    preview_cache_mb: int = _setting(
        2048,
        "Disk in STATE_DIR, for each API process, for pieces of previews that were made for "
        "players; the least recently used go first, and all where less than 5 % of the disk, or "
        "1 GiB, is free. 0: none are kept.",
        "MiB",
    )
    models_dir: Path | None = _setting(None, "Folder with model weights. Unset: STATE_DIR/models.")
    visual_model: str = _setting("conse-lite0", "Model key of the visual model.")
    allow_noncommercial: bool = _setting(
        False, "on or off: load models whose licence forbids commercial use (research only)."
    )
    model_idle_minutes: int = _setting(
        30, "A model that nobody has used for so long is unloaded.", "minutes"
    )
    model_memory_mb: int | None = _setting(
        None,
        "Memory that the loaded models of one worker may take. Unset: three quarters of the GPU's, "
        "or half of what the machine or container has.",
        "MB",
    )
    speech_model: str = _setting("whisper-base", "Model key of the speech model.")
    speech_second_model: str | None = _setting(
        None,
        "Model key of a small speech model, such as whisper-tiny.en, that hears speech once more "
        "to mark doubtful words. Unset: they are marked by how sure the first model was.",
    )
    speakers: bool = _setting(
        True,
        "on or off: tell apart who speaks in what is transcribed from now on. Requests may say "
        "otherwise.",
    )
    audio_streams: str = _setting(
        "mix",
        "Of several sound tracks: mix hears all at once, first only the main one, each one after "
        "the other, their texts side by side. Requests may say otherwise.",
    )
    face_model: str = _setting("dlib-resnet", "Model key of the face model.")
    watch_extensions: tuple[tuple[str, bool], ...] = _setting(
        (),
        "Comma-separated changes to the list of file name extensions that watch folders take: "
        "`mod` or `+mod` adds one (as video), `-gif` removes one.",
    )
    watch_rescan_seconds: int = _setting(
        900, "At least so often every watch folder is walked, whatever else tells.", "seconds"
    )
    watch_poll_seconds: int = _setting(
        10,
        "How often a watch folder is looked at where the system tells nothing of new files "
        "(network shares).",
        "seconds",
    )
    traces_endpoint: str | None = _setting(
        None,
        "OpenTelemetry collector that traces are sent to over OTLP/HTTP, e.g. "
        "http://collector:4318. Unset: none are made. Needs the extra `traces`.",
    )
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.")
    log_format: str = _setting("text", "text or json.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check all settings. Raises SettingsError with one sentence that says the fix.

        An empty value counts as unset (compose files pass empty strings).
        """
        settings, wrong = cls.read(os.environ if environ is None else environ)
        if wrong:
            raise SettingsError(wrong[0])
        return settings

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
        """Settings as far as they can be read, and a sentence for each thing that is wrong.

        A setting whose value is wrong has its default.
        """
        given = {
            name: value.strip()
            for name, value in environ.items()
            if name.startswith(PREFIX) and value.strip()
        }
        wrong = [_unknown(name, given[name]) for name in sorted(given) if not _is_known(name)]
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if raw := given.get(PREFIX + field.name.upper()):
                parse = PARSERS.get(field.name) or PARSERS.get(str(field.type))
                try:
                    values[field.name] = parse(raw) if parse else raw
                except ValueError as error:
                    wrong.append(f"{PREFIX}{field.name.upper()} {error}")
        settings = cls(**values)
        state_dir = settings.state_dir
        if "state_dir" not in values and environ.get("XDG_STATE_HOME"):
            state_dir = Path(environ["XDG_STATE_HOME"]) / "rushes"
        try:
            state_dir = state_dir.expanduser().absolute()
        except RuntimeError:  # containers with a user of their own
            wrong.append("This user has no home folder: set RUSHES_STATE_DIR.")
            state_dir = Path("/nonexistent/rushes")
        models_dir = settings.models_dir or state_dir / "models"
        settings = dataclasses.replace(settings, state_dir=state_dir, models_dir=models_dir)
        if not settings.is_loopback and not {_MEDIA_ROOTS, _CACHE_ROOTS} <= given.keys():
            wrong.append(
                f"RUSHES_HOST={settings.host} is reachable from other machines, so {_MEDIA_ROOTS} "
                f"and {_CACHE_ROOTS} must say which folders clients may use."
            )
        return settings, wrong

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the API."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def public_path(self) -> str:
        """Path of PUBLIC_URL, without a slash at its end; "" where it has none."""
        return urllib.parse.urlsplit(self.public_url or "").path

    @property
    def weights_dir(self) -> Path:
        """MODELS_DIR with its default filled in."""
        return self.models_dir or self.state_dir / "models"


def _is_known(name: str) -> bool:
    return name in OTHER_VARIABLES or name == PARENT_FD or name in _names()


def _names() -> list[str]:
    return [PREFIX + field.name.upper() for field in dataclasses.fields(Settings)]


def _unknown(name: str, value: str) -> str:
    if _KUBERNETES.fullmatch(name) or value.startswith(("tcp://", "udp://")):
        return (
            f"{name} is no setting but what Kubernetes says of a Service: give the pod "
            "`enableServiceLinks: false`."
        )
    known = [known.removeprefix(PREFIX) for known in (*_names(), *OTHER_VARIABLES)]
    close = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
    hint = f"did you mean {PREFIX}{close[0]}?" if close else "unset it."
    return f"There is no setting {name}: {hint}"
