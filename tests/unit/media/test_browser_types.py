"""What a file is called to a browser: never what could be a page."""

from __future__ import annotations

import pytest

from api.media.playback.routes import browser_type
from shared.domain import Probe
from shared.media import MediaType
from shared.media_facts import VideoStream


def film(container: str, codec: str, audio: str | None = None, **of_stream: object) -> Probe:
    stream = VideoStream(index=0, codec=codec, **of_stream)  # type: ignore[arg-type]
    return Probe(
        media_type=MediaType.VIDEO,
        container=container,
        video_codec=codec,
        audio_codec=audio,
        width=1920,
        height=1080,
        video_streams=(stream,),
    )


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (film("mov", "h264", "aac", profile="High"), 'video/mp4; codecs="avc1.64002A, mp4a.40.2"'),
        (
            film("mov", "prores", "pcm_s24le", codec_tag="apch"),
            'video/mp4; codecs="apch, lpcm"',
        ),
        (film("mp4", "hevc", profile="Main 10"), 'video/mp4; codecs="hvc1.2.4.L123.B0"'),
        (film("matroska", "vp9", "opus"), 'video/webm; codecs="vp09.00.41.08, opus"'),
        (
            film("matroska", "h264", "ac3", profile="Main"),
            'video/x-matroska; codecs="avc1.4D402A, ac-3"',
        ),
        (film("mpegts", "mpeg2video"), 'video/mp2t; codecs="mpeg2video"'),
        (film("text/html", "h264"), "application/octet-stream"),
        (
            Probe(media_type=MediaType.AUDIO, container="wav", audio_codec="pcm_s16le"),
            'audio/wav; codecs="1"',
        ),
        (Probe(media_type=MediaType.AUDIO, container="mp3", audio_codec="mp3"), "audio/mpeg"),
        (Probe(media_type=MediaType.IMAGE, container="png", video_codec="png"), "image/png"),
        (Probe(media_type=MediaType.IMAGE, container="tiff"), "application/octet-stream"),
    ],
)
def test_types_are_those_that_browsers_are_asked_about(probe: Probe, expected: str) -> None:
    assert browser_type(probe) == expected
