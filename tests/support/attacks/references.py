"""Files that refer to others: well-formed, so that a decoder that is allowed to would follow."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.support.media.heic import make_heic
from tests.support.media.mxf_locators import roomy_mxf, with_locator

OWN = (176, 144)  # pictures of files that are asked for; canaries have other sizes
HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"dinf")
Permissive = dict[str, str]


@dataclass(frozen=True)
class Referring:
    """A file that refers to `film`, a canary, or to `url`, where somebody listens."""

    name: str
    content: bytes
    follows: Permissive | None = None  # options of FFmpeg that follow it; None: none does
    format: str | None = None  # that FFmpeg must be told to
    has_pictures: bool = False  # of its own, of size OWN

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.write_bytes(self.content)
        return path


@dataclass(frozen=True)
class DataReference:
    """How a MOV names the file in which its samples lie."""

    entry: Callable[[Path], bytes]
    follows: Permissive | None = field(default=None)


def referring_files(film: Path, beside: Path, url: str) -> list[Referring]:
    """`beside` lies in the folder of the file, `film` in the folder "outside" next to that one."""
    return [
        *_movies(film, beside, url),
        *_playlists(film, url),
        *_essence_elsewhere(film, beside, url),
        *_stills(film, url),
        *_others(film, url),
    ]


def _movies(film: Path, beside: Path, url: str) -> list[Referring]:
    absolute = {"enable_drefs": "1", "use_absolute_path": "1"}
    moov = _moov(film)
    kinds = {
        "alias, absolute": (_alias(str(film), 0, 0), absolute),
        "alias, relative": (_alias(str(film), 2, 2), absolute),
        "alias, url": (_alias(url, 0, 0), None),
        "url, absolute": (_entry(b"url ", f"file://{film}\0".encode()), None),
        "url, path": (_entry(b"url ", f"{film}\0".encode()), None),
        "url, http": (_entry(b"url ", f"{url}\0".encode()), None),
        "urn": (_entry(b"urn ", f"film\0{url}\0".encode()), None),
    }
    files = [
        Referring(f"dref {kind}.mov", _with_references(moov, entry), follows)
        for kind, (entry, follows) in kinds.items()
    ]
    near = _with_references(_moov(beside), _alias(str(beside), 1, 1))
    files.append(Referring("dref alias, beside.mov", near, {"enable_drefs": "1"}))
    for address in (url, f"file://{film}"):
        rdrf = _box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(address) + 1))
        rdrf = _box(b"rdrf", rdrf[8:] + address.encode() + b"\0")
        whole = _box(b"moov", _box(b"rmra", _box(b"rmda", rdrf)))
        files.append(Referring(f"reference movie {address[:4]}.mov", _FTYP + whole))
    return files


def _playlists(film: Path, url: str) -> list[Referring]:
    hls = {"allowed_extensions": "ALL", "extension_picky": "0"}
    everything = {"protocol_whitelist": "file,http,tcp,crypto,data"}
    files = []
    for kind, target in (("file", str(film)), ("http", url)):
        m3u8 = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n"
        mpd = (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT1S">'
            '<Period><AdaptationSet mimeType="video/mp4" contentType="video"><Representation id="1"'
            ' bandwidth="1000" codecs="avc1.42c00d" width="160" height="96" mimeType="video/mp4">'
            f"<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>"
        )
        files += [
            Referring(f"m3u8 {kind}.ts", m3u8.encode(), hls | everything, "hls"),
            Referring(f"m3u8 {kind}.mp4", m3u8.encode(), hls | everything, "hls"),
            Referring(f"dash {kind}.mp4", mpd.encode()),  # FFmpegs with libxml2 follow it
            Referring(
                f"ffconcat {kind}.mkv",
                f"ffconcat version 1.0\nfile '{target}'\n".encode(),
                {"safe": "0"} | everything,
            ),
            Referring(f"pls {kind}.mp3", f"[playlist]\nFile1={target}\nVersion=2\n".encode()),
            Referring(
                f"asx {kind}.wmv",
                f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>'.encode(),
            ),
            Referring(f"reference {kind}.wmv", f"[Reference]\r\nRef1={target}\r\n".encode()),
            Referring(f"smil {kind}.mp4", f'<smil><video src="{target}"/></smil>'.encode()),
        ]
    return files


def _essence_elsewhere(film: Path, beside: Path, url: str) -> list[Referring]:
    """Return MXF files with locators, which FFmpeg's reader does not know: nothing follows them."""
    clip = roomy_mxf(film.parent, OWN)
    kinds = {
        "http": url,
        "file": f"file://{film}",
        "absolute": str(film),
        "relative": f"../{film.parent.name}/{film.name}",
        "beside": beside.name,
    }
    files = [
        Referring(f"essence {kind}.mxf", with_locator(clip, target, keeps_essence=False))
        for kind, target in kinds.items()
    ]
    both = with_locator(clip, url, keeps_essence=True)
    return [*files, Referring("essence within as well.mxf", both, has_pictures=True)]


def _stills(film: Path, url: str) -> list[Referring]:
    """HEIC whose picture lies elsewhere; no reader of it follows data references."""
    kinds = {"http": url, "file": f"file://{film}", "path": str(film)}
    picture = np.zeros((OWN[1], OWN[0], 3), np.uint8)
    return [
        Referring(
            f"dref {kind}.heic",
            make_heic(film.with_name("still.heic"), picture, elsewhere=target).read_bytes(),
        )
        for kind, target in kinds.items()
    ]


def _others(film: Path, url: str) -> list[Referring]:
    host, port = url.split("/")[2].split(":")
    sdp = f"v=0\no=- 0 0 IN IP4 {host}\ns=-\nc=IN IP4 {host}\nt=0 0\nm=video {port} TCP 96\n"
    rtpmap = "a=rtpmap:96 H264/90000\n"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'
    eps = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n({film}) run\n"
    return [
        Referring("sdp.mp4", (sdp + rtpmap).encode()),
        Referring("vobsub.mpg", b"# VobSub index file, v7 (do not modify this line!)\n"),
        Referring("chained.mkv", _matroska_chain(film)),
        Referring("svg.png", svg.encode()),
        Referring("eps.jpg", eps.encode()),
    ]


_FTYP = struct.pack(">I", 20) + b"ftypqt  " + bytes(4) + b"qt  "


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _entry(kind: bytes, content: bytes) -> bytes:
    return _box(kind, bytes(4) + content)


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 0
    while at + 8 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        if length < 8:
            break
        found.append((data[at + 4 : at + 8], data[at + 8 : at + length]))
        at += length
    return found


def _moov(film: Path) -> bytes:
    """The index of a film; the places that it names are those in the film's own file."""
    return next(content for kind, content in _boxes(film.read_bytes()) if kind == b"moov")


def _with_references(moov: bytes, entry: bytes) -> bytes:
    """A movie without samples of its own, each track of which refers to the same file."""

    def changed(kind: bytes, content: bytes) -> bytes:
        if kind == b"dref":
            return _box(kind, bytes(4) + struct.pack(">I", 1) + entry)
        if kind in HOLDERS:
            content = b"".join(changed(*box) for box in _boxes(content))
        return _box(kind, content)

    return _FTYP + changed(b"moov", moov)


def _alias(path: str, levels_from: int, levels_to: int) -> bytes:
    """A Macintosh alias record with an absolute path, and the way between both files."""
    name = path.rpartition("/")[2].encode()[:63]
    record = bytes(4) + struct.pack(">HH", 0, 2) + bytes(2)
    record += b"\x01v" + bytes(26) + bytes(12)
    record += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16)
    record += struct.pack(">HH", levels_from, levels_to) + bytes(16)
    written = path.encode()
    record += struct.pack(">HH", 2, len(written)) + written + bytes(len(written) % 2)
    record += struct.pack(">HH", 0xFFFF, 0)
    return _entry(b"alis", record)


def _matroska_chain(film: Path) -> bytes:
    """A segment that names the one that follows it, and a chapter that lies in that one."""

    def element(key: bytes, content: bytes) -> bytes:
        return key + struct.pack(">Q", len(content) | 1 << 56) + content

    head = element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"matroska"))
    other = bytes(range(16))
    info = element(b"\x2a\xd7\xb1", (1_000_000).to_bytes(4, "big"))
    info += element(b"\x3e\xb9\x23", other) + element(b"\x3e\x83\xbb", str(film).encode())
    track = element(b"\xd7", b"\1") + element(b"\x73\xc5", b"\1") + element(b"\x83", b"\1")
    track += element(b"\x86", b"V_MPEG4/ISO/AVC")
    track += element(b"\xe0", element(b"\xb0", b"\xa0") + element(b"\xba", b"\x60"))
    atom = element(b"\x73\xc4", b"\1") + element(b"\x91", b"\0") + element(b"\x6e\x67", other)
    chapters = element(b"\x45\xb9", element(b"\x45\xdd", b"\1") + element(b"\xb6", atom))
    whole = element(b"\x15\x49\xa9\x66", info)
    whole += element(b"\x16\x54\xae\x6b", element(b"\xae", track))
    whole += element(b"\x10\x43\xa7\x70", chapters)
    return head + element(b"\x18\x53\x80\x67", whole)
