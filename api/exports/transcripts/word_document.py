"""docx of a transcript: a title and one paragraph a segment, by python-docx.

Word shapes and orders text by itself, but takes the font by the kind of script, so each kind has
one here, and a paragraph that runs from right to left says so. Text never becomes a field, a link
or a picture: it is only ever put into runs.
"""

from __future__ import annotations

import datetime
import io
import zipfile

from docx import Document as new_document
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.oxml.text.run import CT_R
from docx.shared import RGBColor

from api.exports.cleaning import is_rtl
from api.exports.transcripts.document import ExportSegment, TranscriptDocument

_LATIN, _COMPLEX = "Calibri", "Arial"
_EAST_ASIAN = {"ja": "Yu Gothic", "ko": "Malgun Gothic"}
_CHINESE = "Microsoft YaHei"
_FIXED = datetime.datetime(2000, 1, 1)  # the same input gives the same bytes
_FIXED_ZIP = (1980, 1, 1, 0, 0, 0)
_STAMP = "Timestamp"  # a style of ours, so that a reader can change or hide all times at once
_GREY = (0x6B, 0x6B, 0x6B)


def docx(document: TranscriptDocument) -> bytes:
    """A document of Word 2007 and later; the same bytes for the same input."""
    made = new_document()
    _set_properties(made, document)
    _set_fonts(made, document.language)
    made.styles.add_style(_STAMP, WD_STYLE_TYPE.CHARACTER).font.color.rgb = RGBColor(*_GREY)
    heading = made.add_heading(document.title, level=1)
    if is_rtl(document.title):
        heading._p.get_or_add_pPr().append(OxmlElement("w:bidi"))
        heading.runs[0].font.rtl = True
    for segment in document.segments:
        _add_segment(made, document, segment)
    file = io.BytesIO()
    made.save(file)
    return _undated(file)


def _add_segment(made: Document, document: TranscriptDocument, segment: ExportSegment) -> None:
    """Add a segment's elements by hand: python-docx takes minutes for 20,000 paragraphs."""
    paragraph = OxmlElement("w:p")
    is_from_right = is_rtl(segment.text)
    if is_from_right:
        paragraph.get_or_add_pPr().append(OxmlElement("w:bidi"))
    if document.timestamps:
        paragraph.append(_run(f"{document.stamp(segment)} ", style=_STAMP))
    if segment.speaker:
        paragraph.append(_run(f"{segment.speaker}: ", "w:b"))
    paragraph.append(_run(segment.text, "w:rtl" if is_from_right else None))
    made.element.body[-1].addprevious(paragraph)  # the last one holds the section's properties


def _run(text: str, mark: str | None = None, style: str | None = None) -> CT_R:
    """A run of text, whose tabs and newlines become those of Word."""
    run: CT_R = OxmlElement("w:r")
    if mark:
        run.get_or_add_rPr().append(OxmlElement(mark))
    if style:
        run.style = style
    if "\t" in text or "\n" in text:
        run.text = text
    else:  # nearly always, and quick
        run.add_t(text)
    return run


def _set_properties(made: Document, document: TranscriptDocument) -> None:
    properties = made.core_properties
    properties.title = document.title
    properties.author = properties.last_modified_by = "Rushes"
    properties.comments = ""
    properties.language = document.language or ""
    properties.created = properties.modified = _FIXED


def _set_fonts(made: Document, language: str | None) -> None:
    """A font for each kind of script: the template's come from a theme, which Word puts first."""
    fonts = {
        "w:ascii": _LATIN,
        "w:hAnsi": _LATIN,
        "w:eastAsia": _EAST_ASIAN.get(language or "", _CHINESE),
        "w:cs": _COMPLEX,
    }
    for name in ("Normal", "Heading 1"):
        element = made.styles[name].element.get_or_add_rPr().get_or_add_rFonts()
        element.attrib.clear()
        for attribute, font in fonts.items():
            element.set(qn(attribute), font)


def _undated(file: io.BytesIO) -> bytes:
    """The archive without the time at which its members were written."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            member = zipfile.ZipInfo(name, _FIXED_ZIP)
            member.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(member, old.read(name))
    return fixed.getvalue()
