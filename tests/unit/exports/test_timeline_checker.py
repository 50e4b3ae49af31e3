"""The checker of timelines notices what editing systems are known to stumble over."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from api.exports.timelines.routes import write_timeline
from tests.support.exports.timeline_checker import check_fcpxml, check_xmeml
from tests.support.exports.timeline_data import NTSC_30, asked, film, marker, timeline

FAULTS = {
    "no DOCTYPE": (r"<!DOCTYPE xmeml>\n", ""),
    "two rates": (r"(<in>)", r"<rate><timebase>25</timebase><ntsc>FALSE</ntsc></rate>\1"),
    "a clipitem in its own rate": (
        r"(?s)(<clipitem .*?)<timebase>30</timebase>\s*<ntsc>TRUE</ntsc>",
        r"\1<timebase>25</timebase><ntsc>FALSE</ntsc>",
    ),
    "a rate with a fraction": (r"<timebase>30</timebase>", "<timebase>29.97</timebase>"),
    "a length that differs": (r"<end>60</end>", "<end>61</end>"),
    "too long a sequence": (r"<duration>120</duration>", "<duration>121</duration>"),
    "an end behind the media": (r"<duration>300</duration>", "<duration>90</duration>"),
    "a file described twice": (r'(?s)(<file id="file-1">.*?</file>)', r"\1\1"),
    "no format": (r"(?s)<format>.*?</format>", ""),
    "one side of a pair": (r'currentExplodedTrackIndex="1"', 'currentExplodedTrackIndex="0"'),
    "a channel too many": (r"<trackindex>2</trackindex>\s*</sourcetrack>", "<trackindex>3"
                           "</trackindex></sourcetrack>"),
    "a wrong count of channels": (r"<channelcount>2<", "<channelcount>1<"),
    "a link to nowhere": (r"<linkclipref>clipitem-1<", "<linkclipref>clipitem-9<"),
    "a link that is missing": (r"(?s)<link>.*?</link>", ""),
    "a wrong place in a link": (r"<clipindex>1<", "<clipindex>2<"),
    "timecode that counts wrongly": (r"<frame>107832<", "<frame>107940<"),
    "drop-frame with colons": (r"00;59;58;00", "00:59:58:00"),
    "a path that is no URL": (r"file://localhost/media/a.mov", "/media/a.mov"),
    "a path that is not encoded": (r"/media/a.mov<", "/media/a b.mov<"),
    "ticks of another time": (r"<pproTicksIn>\d+<", "<pproTicksIn>0<"),
    "two of one id": (r'id="clipitem-2"', 'id="clipitem-1"'),
    "a marker by timecode": (r"<in>75</in>", "<in>107907</in>"),
}  # fmt: skip


def good() -> str:
    source = film(rate=NTSC_30, start_timecode="00:59:58;00")
    marks = [marker(Fraction(5, 2), "m")]
    made, _ = timeline(asked(source, markers=marks), asked(source))
    return write_timeline(made, "xmeml", "sequence", None)[0]


def test_what_we_write_has_none_of_these_faults() -> None:
    check_xmeml(good())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_xmeml_is_noticed(fault: str) -> None:
    pattern, wrong = FAULTS[fault]
    broken, count = re.subn(pattern, wrong, good(), count=1)
    assert count == 1
    with pytest.raises((AssertionError, ValueError, AttributeError)):
        check_xmeml(broken)


@pytest.mark.parametrize(
    ("pattern", "wrong"),
    [
        (r'start="8999991/2500s"', 'start="2s"'),
        (r'version="1.10"', 'version="1.8"'),
        (r"(?s)<media-rep.*?/>", ""),
        (r'frameDuration="1001/30000s"', 'frameDuration=""'),
        (r'offset="0s"', 'offset="3600s"'),
        (r'(?s)(<conform-rate[^>]*/>)(\s*)(<marker[^>]*/>)', r"\3\1"),
        (r'duration="1001/500s"', 'duration="2.002s"'),
        (r'<asset id="r2"', '<asset id="r1"'),
        (r'audioRate="48k"', 'audioRate="48000"'),
        (r'ref="r2"', 'ref="r9"'),
    ],
)  # fmt: skip
def test_a_fault_of_fcpxml_is_noticed(pattern: str, wrong: str) -> None:
    other = film("/media/b.mov", 25)
    source = film(rate=NTSC_30, start_timecode="00:59:58;00")
    marks = [marker(Fraction(5, 2), "m")]
    made, _ = timeline(asked(source), asked(other, markers=marks), asked(source))
    text = write_timeline(made, "fcpxml", "sequence", None)[0]
    check_fcpxml(text)
    broken, count = re.subn(pattern, wrong, text, count=1)
    assert count == 1
    with pytest.raises((AssertionError, KeyError, AttributeError)):
        check_fcpxml(broken)
