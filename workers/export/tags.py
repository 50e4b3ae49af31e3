"""Tags that a clip keeps of its source."""

from __future__ import annotations

from typing import Any

from workers.export.formats import Form
from workers.export.source import ClipSource

_OF_STREAMS = ("language", "handler_name", "title", "reel_name", "vendor_id")
_CONTAINERS_OWN = frozenset(
    (
        "major_brand", "minor_version", "compatible_brands", "encoder", "timecode", "duration",
        "operational_pattern_ul", "uid", "generation_uid", "company_name", "product_name",
        "product_version_num", "product_version", "application_platform", "product_uid",
        "toolkit_version_num", "toolkit_version", "material_package_umid", "file_package_umid",
        "modification_date",
    )
)  # fmt: skip


def container_tags(source: ClipSource) -> dict[str, str]:
    """What the container says of its content; not what it says of itself."""
    return {k: v for k, v in source.container.metadata.items() if k.lower() not in _CONTAINERS_OWN}


def tag_stream(taken: Any, written: Any) -> None:
    """Copy language, names and role of a stream."""
    for key in _OF_STREAMS:
        if value := taken.metadata.get(key):
            written.metadata[key] = value
    written.disposition = taken.disposition


def tag_start(written: Any, source: ClipSource, label: str | None, form: Form) -> None:
    """Timecode of the clip's first picture, and the reel it comes from."""
    if label is not None and form.family != "mpegts":
        written.metadata["timecode"] = label
    reel = reel_of(source)
    if reel:
        written.metadata["reel_name"] = reel


def reel_of(source: ClipSource) -> str:
    """The name of the tape or card, from the timecode track or the container."""
    places = [*(s.metadata for s in source.container.streams), source.container.metadata]
    return next((str(p["reel_name"]) for p in places if p.get("reel_name")), "")
