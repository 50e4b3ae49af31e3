"""What msgspec raises for bytes that do not hold what they should, whatever is wrong with them."""

from __future__ import annotations

import msgspec

# A flipped bit within text is no MsgspecError, nor are brackets nested beyond all measure.
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
