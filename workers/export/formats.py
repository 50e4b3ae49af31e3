"""Containers that clips are written to: families, names for the muxer, what may stand in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from av.container import InputContainer

Family = Literal["isom", "matroska", "mpegts", "mxf", "sound", "other"]

_FAMILIES: dict[str, Family] = {
    "mov,mp4,m4a,3gp,3g2,mj2": "isom",
    "matroska,webm": "matroska",
    "mpegts": "mpegts",
    "mxf": "mxf",
    "wav": "sound",
    "w64": "sound",
}


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of file that a clip can be written to."""

    extension: str
    muxer: str
    family: Family

    @property
    def has_edit_list(self) -> bool:
        """Whether pictures before the in-point can be in the file without being shown."""
        return self.family == "isom"


FORMS = {
    form.extension: form
    for form in (
        Form("mp4", "mp4", "isom"),
        Form("m4v", "mp4", "isom"),
        Form("m4a", "mp4", "isom"),
        Form("mov", "mov", "isom"),
        Form("mkv", "matroska", "matroska"),
        Form("mka", "matroska", "matroska"),
        Form("webm", "webm", "matroska"),
        Form("ts", "mpegts", "mpegts"),
        Form("mxf", "mxf", "mxf"),
        Form("wav", "wav", "sound"),
        Form("flac", "flac", "sound"),
        Form("mp3", "mp3", "sound"),
    )
}


def family_of(container: InputContainer) -> Family:
    return _FAMILIES.get(container.format.name, "other")


def own_form(container: InputContainer, path: str, has_video: bool) -> Form | None:
    """The Form of a source, so that a copy of it stays what it is; None: it cannot be written."""
    family = family_of(container)
    named = FORMS.get(PurePath(path).suffix.lower().lstrip("."))
    if named is not None and named.family == family and family != "isom":
        return named
    if family == "isom":
        is_mov = container.metadata.get("major_brand", "qt").strip() == "qt"
        return FORMS["mov" if is_mov else "mp4" if has_video else "m4a"]
    usual = {"matroska": "mkv" if has_video else "mka", "mpegts": "ts", "mxf": "mxf"}
    if container.format.name == "wav":
        return FORMS["wav"]
    return FORMS.get(usual.get(family, ""))
