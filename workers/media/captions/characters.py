"""The characters of CEA-608 captions."""

from __future__ import annotations

_BASIC = {
    0x2A: "á", 0x5C: "é", 0x5E: "í", 0x5F: "ó", 0x60: "ú", 0x7B: "ç", 0x7C: "÷", 0x7D: "Ñ",
    0x7E: "ñ", 0x7F: "█",
}  # fmt: skip
_SPECIAL = "®°½¿™¢£♪à èâêîôû"  # from 0x30 on
_EXTENDED = {  # from 0x20 on, by the first byte
    0x12: "ÁÉÓÚÜü‘¡*'—©℠•“”ÀÂÇÈÊËëÎÏïÔÙùÛ«»",
    0x13: "ÃãÍÌìÒòÕõ{}\\^_¦~ÄäÖöß¥¤│ÅåØø┌┐└┘",
}


def basic(byte: int) -> str:
    """The character of a byte from 0x20 to 0x7F."""
    return _BASIC.get(byte) or chr(byte)


def special(byte: int) -> str:
    """The character of a second byte from 0x30 to 0x3F, after 0x11."""
    return _SPECIAL[byte - 0x30]


def extended(first: int, byte: int) -> str | None:
    """The character that takes the place of the one before; None: the bytes name none."""
    row = _EXTENDED.get(first)
    return row[byte - 0x20] if row and 0x20 <= byte <= 0x3F else None
