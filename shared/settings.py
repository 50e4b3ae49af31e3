"""Every setting: name, default, unit and help, read once from the environment, then frozen."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import SettingsError

PREFIX = "RUSHES_"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


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
    workers: int = _setting(1, "Analysis workers that `rushes up` starts.", "processes")
    device: str = _setting("auto", "auto, cpu, mps, cuda or cuda:N; auto prefers a GPU.")
    cors_origins: tuple[str, ...] | None = _setting(
        None,
        "Comma-separated origins that web views may call from; may contain `null`. Unset: `null` "
        "and localhost origins on loopback, else none.",
    )
    socket_auth: str = _setting(
        "optional", "optional: keyless sockets may join a task_id; required: they are refused."
    )
    metrics: bool = _setting(True, "on or off: serve /metrics.")
    max_body_mb: int = _setting(64, "Largest request body.", "MiB")
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
        "or half of the machine's.",
        "MB",
    )
    speech_model: str = _setting("whisper-base", "Model key of the speech model.")
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
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.")
    log_format: str = _setting("text", "text or json.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check all settings. Raises SettingsError with one sentence that says the fix.

        An empty value counts as unset (compose files pass empty strings).
        """
        env = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            raw = env.get(PREFIX + field.name.upper(), "").strip()
            if raw:
                parse = _PARSERS.get(field.name)
                values[field.name] = parse(field.name, raw) if parse else raw
        settings = cls(**values)
        state_dir = settings.state_dir
        if "state_dir" not in values and env.get("XDG_STATE_HOME"):
            state_dir = Path(env["XDG_STATE_HOME"]) / "rushes"
        settings = dataclasses.replace(settings, state_dir=state_dir.expanduser().absolute())
        if settings.models_dir is None:
            settings = dataclasses.replace(settings, models_dir=settings.state_dir / "models")
        settings._check()
        return settings

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
    def weights_dir(self) -> Path:
        """MODELS_DIR with its default filled in."""
        return self.models_dir or self.state_dir / "models"

    def _check(self) -> None:
        if not self.is_loopback and (self.media_roots is None or self.cache_roots is None):
            raise SettingsError(
                f"RUSHES_HOST={self.host} is reachable from other machines, so RUSHES_MEDIA_ROOTS "
                "and RUSHES_CACHE_ROOTS must say which folders clients may use."
            )
        _one_of("socket_auth", self.socket_auth, ("optional", "required"))
        _one_of("audio_streams", self.audio_streams, ("mix", "first", "each"))
        _one_of("log_format", self.log_format, ("text", "json"))
        _one_of("log_level", self.log_level, LOG_LEVELS)
        if self.redis_url and not self.redis_url.startswith(("redis://", "rediss://", "unix://")):
            raise SettingsError(
                "RUSHES_REDIS_URL must begin with redis://, rediss:// or unix://, not "
                f"{self.redis_url.partition(':')[0]!r}."
            )
        if not 0 < self.port < 65536:
            raise SettingsError(f"RUSHES_PORT must be 1 to 65535, not {self.port}.")
        if self.workers < 1 or self.max_body_mb < 1:
            raise SettingsError("RUSHES_WORKERS and RUSHES_MAX_BODY_MB must be at least 1.")
        if self.watch_rescan_seconds < 1 or self.watch_poll_seconds < 1:
            raise SettingsError(
                "RUSHES_WATCH_RESCAN_SECONDS and RUSHES_WATCH_POLL_SECONDS must be at least 1."
            )
        memory = 1 if self.model_memory_mb is None else self.model_memory_mb
        if self.model_idle_minutes < 1 or memory < 1:
            raise SettingsError(
                "RUSHES_MODEL_IDLE_MINUTES and RUSHES_MODEL_MEMORY_MB must be at least 1."
            )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(
            f"RUSHES_{name.upper()} must be one of {', '.join(allowed)}, not {value!r}."
        )


def _integer(name: str, raw: str) -> int:
    try:
        return int(raw)
    except ValueError:
        raise SettingsError(f"RUSHES_{name.upper()} must be a whole number, not {raw!r}.") from None


def _switch(name: str, raw: str) -> bool:
    words = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
    if raw.lower() not in words:
        raise SettingsError(f"RUSHES_{name.upper()} must be on or off, not {raw!r}.")
    return words[raw.lower()]


def _words(_name: str, raw: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in raw.split(",") if part.strip())


def _extensions(name: str, raw: str) -> tuple[tuple[str, bool], ...]:
    """(".mod", True) adds, (".gif", False) removes."""
    changes = []
    for word in _words(name, raw):
        extension = word.lstrip("+-").removeprefix(".").lower()
        if not extension or not extension.isalnum():
            raise SettingsError(
                f"RUSHES_{name.upper()} must hold extensions such as +mod or -gif, not {word!r}."
            )
        changes.append((f".{extension}", not word.startswith("-")))
    return tuple(changes)


def _roots(name: str, raw: str) -> tuple[Path, ...]:
    roots = tuple(Path(part) for part in raw.split(":") if part)
    for root in roots:
        if not root.is_absolute():
            raise SettingsError(f"RUSHES_{name.upper()} must hold absolute paths, not {root}.")
    return roots


def _path(name: str, raw: str) -> Path:
    path = Path(raw).expanduser()
    if not path.is_absolute():
        raise SettingsError(f"RUSHES_{name.upper()} must be an absolute path, not {raw}.")
    return path


def _pairs(name: str, raw: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for part in filter(None, (piece.strip() for piece in raw.split(";"))):
        client, equals, server = part.partition("=")
        if not equals or not client or not server.startswith("/"):
            raise SettingsError(
                f"RUSHES_{name.upper()} must hold client=server pairs with an absolute server "
                f"path, not {part!r}."
            )
        pairs.append((client, server))
    return tuple(pairs)


_PARSERS: dict[str, Callable[[str, str], Any]] = {
    "port": _integer,
    "workers": _integer,
    "max_body_mb": _integer,
    "watch_rescan_seconds": _integer,
    "watch_poll_seconds": _integer,
    "watch_extensions": _extensions,
    "metrics": _switch,
    "allow_noncommercial": _switch,
    "model_idle_minutes": _integer,
    "model_memory_mb": _integer,
    "license_keys": _words,
    "cors_origins": _words,
    "media_roots": _roots,
    "cache_roots": _roots,
    "export_roots": _roots,
    "state_dir": _path,
    "models_dir": _path,
    "path_map": _pairs,
    "audio_streams": lambda _name, raw: raw.lower(),
    "log_level": lambda _name, raw: raw.upper(),
    "log_format": lambda _name, raw: raw.lower(),
    "socket_auth": lambda _name, raw: raw.lower(),
}
