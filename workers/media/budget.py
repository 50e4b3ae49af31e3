"""What a media file may cost, by what it is: claims that no real file makes are refused.

One rule: the work that a file claims, or turns out to cost, is bounded by its bytes (of silence:
by the audio in it) times a factor, plus a base. The bounds lie beyond what any recorder or encoder
makes, so that nothing real is refused: silence in Opus at its longest packets takes 17 bytes a
second, in AMR 50, in FLAC 27.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from shared.errors import MediaUnreadable

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
from shared.errors import MediaUnsupported
from shared.media import check_content, unsupported_format
from shared.opening import OpenedFile

LEAST_BYTES_A_SECOND = 8
ALWAYS_S = 3600  # a file of any size may last so long
ALWAYS_SEEN_S = 86_400  # of pictures: a screen may stand still, and only pictures cost work
LONGEST_S = 31 * 86_400
# One reading of a file gives its bytes once. Edit lists may play parts of it again, which FFmpeg
# reads again: a loop of a long file 8 times, of a clip of a megabyte 70 times.
_READ_BASE = 64 << 20  # bytes
_READ_TIMES = 8
# Added for each packet. Those of silence take one byte of a file (AMR), which stays in the bound.
PACKET_BYTES = _READ_TIMES - 1
# Opus sends nothing in silence but a packet of 20 ms each 400 ms (DTX): 20 times. A recorder that
# starts at a noise may give a second an hour; silence costs little until then.
_SILENCE_BASE_S = 48 * 3600.0
ENCODED_SILENCE_BASE_S = 12 * 3600.0  # as AAC an hour of it takes about 10 s
_SILENCE_TIMES = 50
EDITED_BASE = 100_000_000  # pictures times edits: 0.06 s; beyond it, one for each byte
NAMED_BASE = 500_000  # samples of an index; beyond it each takes a byte or more of a file
UNPACKED_BASE = 32 << 20  # bytes of a compressed header; 10 hours at 60 frames a second take 20 MB
# CPU time of stills: 12 megapixels take 0.1 to 0.5 s, as JPEG 2000 of 20 MB 4 s.
STILL_BASE_S = 5.0
_STILL_S_A_PIXEL = 1e-7
_STILL_S_A_BYTE = 3e-7
_MOST_SCANS = 50  # of a frame of motion JPEG; encoders make 1, or 10 (progressive)
LOWEST_RATE = 1000  # samples a second; the lowest of any player is 4,000
HIGHEST_RATE = 6_000_000  # above that of any recorder: a resampler has no memory for it
# For searching in one native call; less than the stall timer of workers, which ends the process.
NATIVE_SEARCH_S = 90.0

_SPARSE_FROM = 1 << 30  # bytes; holes of smaller files are read in a moment
_MOSTLY = 100  # a file is refused of which less than one part in so many was ever written
_MOST_PIECES = 1000

# For all work on a file: a share gives 1 MB a second, the largest models on a slow machine take a
# minute for each second of footage. Whoever is beyond that goes nowhere.
_BASE_WORK_S = 1800.0
_WORK_S_A_MEGABYTE = 1.0
_WORK_S_A_SECOND = 60.0
_BYTES_A_SECOND = 1_000_000  # of a recording that does not tell its length


def check_written(fd: int) -> None:
    """Raise MediaUnreadable for a large file that is one hole: it costs hours and holds nothing.

    Blocks alone tell nothing, as compression, archives and some shares count none; where the file
    system does not tell of holes, a file counts as written.
    """
    status = os.fstat(fd)
    size = status.st_size
    if size < _SPARSE_FROM or _allocated(status) * _MOSTLY > size:
        return
    written = _written(fd, status)
    if written * _MOSTLY < size:
        raise MediaUnreadable(
            f"Only {_words(written)} of its {_words(size)} were ever written, as after an "
            "interrupted copy; copy it again."
        )


def plausible_sound(
    container: InputContainer, streams: list[AudioStream]
) -> tuple[list[AudioStream], str]:
    """The streams that may be sound, and why others are left out: "" where none is."""
    odd = {stream.index: why for stream in streams if (why := _oddity(container.size, stream))}
    kept = [stream for stream in streams if stream.index not in odd]
    return kept, next(iter(odd.values()), "")


def _oddity(size: int, stream: AudioStream) -> str:
    """Why a stream is no sound: absurd rates, or hours in a few bytes; "" where it may be."""
    if stream.codec_context is None:
        return ""
    bits = stream.codec_context.bit_rate
    declared = float(stream.duration * (stream.time_base or 0)) if stream.duration else 0.0
    held = size * 8 / bits if bits else 0.0  # a cut file declares more than it holds
    seconds = min(declared, held)
    if seconds > longest_s(size):
        return (
            f"It declares {seconds:,.0f} s of sound in {_words(size)}; no recording of that "
            f"size is longer than {longest_s(size):,.0f} s."
        )
    if stream.sample_rate and not LOWEST_RATE <= stream.sample_rate <= HIGHEST_RATE:
        return (
            f"It declares sound of {stream.sample_rate:,} samples a second; recordings have "
            f"{LOWEST_RATE:,} to {HIGHEST_RATE:,}."
        )
    return ""


def overrun(seconds: float, size: int, always_s: float = ALWAYS_S) -> str:
    """Why nothing is believed that comes so late in a file of that size; "" where it may."""
    longest = longest_s(size, always_s)
    if seconds <= longest:
        return ""
    return (
        f"Its time stamps lead to {seconds:,.0f} s in {_words(size)}; no recording of that "
        f"size is longer than {longest:,.0f} s."
    )


def check_read(read: int, size: int) -> None:
    """Raise MediaUnreadable for packets that come again and again; `read`: with PACKET_BYTES."""
    if read > _READ_BASE + _READ_TIMES * size:
        raise MediaUnreadable(
            f"It plays the same data again and again: more than {_words(read)} in a file of "
            f"{_words(size)}. No recording does."
        )


def check_claim(claimed: int, base: int, size: int, words: str) -> None:
    """Raise MediaUnreadable where a header claims more than the bytes of its file and a base."""
    if claimed > base + size:
        raise MediaUnreadable(
            f"Its header claims {words} in a file of {_words(size)}. No recording has such a one."
        )


def check_silence(silent_s: float, heard_s: float, base_s: float = _SILENCE_BASE_S) -> None:
    """Raise MediaUnreadable where time stamps make far more silence than there is audio."""
    if silent_s > base_s + _SILENCE_TIMES * heard_s:
        raise MediaUnreadable(
            f"Its time stamps claim more than {silent_s / 3600:,.0f} hours of silence around "
            f"{heard_s:,.0f} s of audio, which is the limit; cut it into shorter files."
        )


def check_scans(scans: int) -> None:
    """Raise MediaUnreadable for a JPEG frame that FFmpeg decodes for minutes, in one call."""
    if scans > _MOST_SCANS:
        raise MediaUnreadable(f"A frame in it has {scans:,} scans; the limit is {_MOST_SCANS}.")


def still_limit_s(pixels: int, size: int) -> float:
    """Return the CPU seconds that decoding a still of so many pixels and bytes may take."""
    return STILL_BASE_S + pixels * _STILL_S_A_PIXEL + size * _STILL_S_A_BYTE


def longest_s(size: int, always_s: float = ALWAYS_S) -> float:
    """How long a file of so many bytes can be."""
    return min(LONGEST_S, max(always_s, size / LEAST_BYTES_A_SECOND))


def work_limit_s(status: os.stat_result, seconds: float | None) -> float:
    """How long all work on a file may take; `seconds`: its length by its own account."""
    written = min(status.st_size, _allocated(status) or status.st_size)
    likely = max(ALWAYS_S, written / _BYTES_A_SECOND) if seconds is None else seconds
    length = min(likely, longest_s(written))
    return _BASE_WORK_S + written / 1e6 * _WORK_S_A_MEGABYTE + length * _WORK_S_A_SECOND


def _words(size: int) -> str:
    if size >= 1e9:
        return f"{size / 1e9:,.1f} GB"
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"


def _allocated(status: os.stat_result) -> int:
    """Bytes that a file takes on its disk; 0 also where the file system does not tell."""
    return status.st_blocks * 512


def _written(fd: int, status: os.stat_result) -> int:
    """Bytes that are no holes; all where nobody tells.

    Of very many pieces not all are counted: then it is what the disk holds, if that is more.
    """
    size = status.st_size
    written = at = 0
    for _ in range(_MOST_PIECES):
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
            at = os.lseek(fd, start, os.SEEK_HOLE)
        except OSError as error:
            return written if error.errno == errno.ENXIO else size
        written += at - start
        if at >= size:
            return written
    return max(written, _allocated(status))


def check_format(path: str) -> None:
    """Raise MediaUnsupported for raw video that no decoder here knows; by its name alone."""
    raw = unsupported_format(path)
    if raw:
        raise MediaUnsupported(
            f"{raw} cannot be decoded here; analyze a proxy or a transcoded copy."
        )


def check_file(file: OpenedFile) -> None:
    """Raise MediaUnreadable or MediaUnsupported for what need not be shown to a decoder."""
    check_format(file.path)
    check_content(file)
    try:
        os.pread(file.fd, 1, 0)
        check_written(file.fd)
    except OSError as error:
        raise MediaUnreadable(f"The file cannot be read: {error.strerror}.") from error
