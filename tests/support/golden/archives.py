"""Archives of golden data: files and Redis keys of an earlier version, and its answers.

An archive holds the files byte for byte. `unpack` does what moving them to another folder needs:
it writes the new folder into text, and renames files that are named by the digest of a path.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIENT_ROOT = "/golden"  # clients name the folder of the data so; RUSHES_PATH_MAP says where it is
MEDIA, CACHE, STATE = "media", "cache", "state"
_FACTS, _ANSWERS, _REDIS = "facts.json", "answers.jsonl", "redis.jsonl"
_DIGESTS = (32, 12)  # hex digits of the digests of paths that occur in names of files
_LONGEST = 256  # characters of a recorded string; a longer one is an image
_SHORT_LIVED_S = 3600  # of heartbeats, turns, leases: they end before anyone has upgraded

Json = dict[str, Any]


@dataclass(frozen=True)
class Golden:
    """Unpacked golden data. `facts` names what the tests need; see `record.py`."""

    folder: Path
    facts: Json

    @property
    def answers(self) -> list[Json]:
        """Requests and the answers of the server of that commit."""
        return [json.loads(line) for line in _lines(self.folder / _ANSWERS)]

    def load_redis(self, client: Any) -> None:
        """Write what the server kept in Redis."""
        for line in _lines(self.folder / _REDIS):
            _write_key(client, json.loads(line))


def shorten(value: Any) -> Any:
    """Return JSON with the digest of each image in place of its base64."""
    if isinstance(value, dict):
        return {name: shorten(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shorten(each) for each in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
    return value


def pack(archive: Path, folder: Path, facts: Json, answers: list[Json], keys: list[Json]) -> None:
    """Write an archive of `folder` without its media."""
    _check_paths(folder)
    (folder / _FACTS).write_text(json.dumps({**facts, "folder": str(folder)}, indent=1))
    for name, entries in ((_ANSWERS, answers), (_REDIS, keys)):
        lines = (json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
        (folder / name).write_text("".join(lines), encoding="utf-8")
    _write_archive(archive, folder, (_FACTS, _ANSWERS, _REDIS, CACHE, STATE))


def pack_media(archive: Path, folder: Path) -> None:
    """Write an archive of the media of `folder`."""
    _write_archive(archive, folder, (MEDIA,))


def extract(archive: Path, folder: Path) -> None:
    """Extract an archive, with the times of modification."""
    with tarfile.open(archive) as opened:
        if hasattr(tarfile, "data_filter"):  # Python 3.11.4; later ones warn without it
            opened.extraction_filter = tarfile.data_filter
        opened.extractall(folder)


def unpack(archive: Path, media: Path, folder: Path) -> Golden:
    """Extract an archive and the media, and move the data to `folder`."""
    extract(media, folder)
    extract(archive, folder)
    facts = json.loads((folder / _FACTS).read_text())
    old, new = facts["folder"], str(folder)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if MEDIA not in path.relative_to(folder).parts[:1]:
            _rewrite(path, old, new)
    digests = dict(_new_digests(folder, old, new))
    for path in sorted(folder.rglob("*"), reverse=True):
        for before, after in digests.items():  # the longer ones first
            if before in path.name:
                path.rename(path.with_name(path.name.replace(before, after)))
                break
    return Golden(folder, facts)


def read_keys(client: Any) -> list[Json]:
    """Return all keys of a Redis that live longer than an hour."""
    names = sorted(client.scan_iter(count=1000))
    return [_read_key(client, name) for name in names if not 0 <= client.ttl(name) < _SHORT_LIVED_S]


def _write_archive(archive: Path, folder: Path, names: tuple[str, ...]) -> None:
    def without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:xz", preset=9) as opened:
        for name in names:
            opened.add(folder / name, name, filter=without_owner)


def _check_paths(folder: Path) -> None:
    """Raise where a file that is not text holds the folder: `unpack` could not move it."""
    for path in folder.rglob("*"):
        if path.is_file() and os.fsencode(folder) in (content := path.read_bytes()):
            content.decode()


def _rewrite(path: Path, old: str, new: str) -> None:
    content = path.read_bytes()
    if old.encode() in content:
        times = path.stat()
        path.write_bytes(content.replace(old.encode(), new.encode()))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _new_digests(folder: Path, old: str, new: str) -> Iterator[tuple[str, str]]:
    media = (f"{MEDIA}/{path.name}" for path in (folder / MEDIA).iterdir())
    names = (*media, CACHE)
    for length in _DIGESTS:
        for name in names:
            yield _digest(f"{old}/{name}")[:length], _digest(f"{new}/{name}")[:length]


def _digest(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _read_key(client: Any, name: bytes) -> Json:
    kind = client.type(name).decode()
    value: Any
    match kind:
        case "string":
            value = _text(client.get(name))
        case "hash":
            value = [[_text(k), _text(v)] for k, v in sorted(client.hgetall(name).items())]
        case "list":
            value = [_text(each) for each in client.lrange(name, 0, -1)]
        case "set":
            value = [_text(each) for each in sorted(client.smembers(name))]
        case "zset":
            value = [[_text(m), score] for m, score in client.zrange(name, 0, -1, withscores=True)]
        case _:
            value = [
                [_text(number), [[_text(k), _text(v)] for k, v in fields.items()]]
                for number, fields in client.xrange(name)
            ]
    return {"key": _text(name), "type": kind, "value": value}


def _write_key(client: Any, entry: Json) -> None:
    name, value = _bytes(entry["key"]), entry["value"]
    match entry["type"]:
        case "string":
            client.set(name, _bytes(value))
        case "hash":
            client.hset(name, mapping={_bytes(k): _bytes(v) for k, v in value})
        case "list":
            client.rpush(name, *map(_bytes, value))
        case "set":
            client.sadd(name, *map(_bytes, value))
        case "zset":
            client.zadd(name, {_bytes(member): score for member, score in value})
        case _:
            for number, fields in value:
                client.xadd(name, {_bytes(k): _bytes(v) for k, v in fields}, id=_bytes(number))


def _text(value: Any) -> Any:
    """Return bytes as text, or as base64 where they are none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _bytes(value: Any) -> bytes:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()
