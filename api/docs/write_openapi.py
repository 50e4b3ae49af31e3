"""`python -m api.docs.write_openapi docs/api/openapi.json` writes the committed document."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from api.app import ENDPOINTS
from api.docs.openapi import document

if __name__ == "__main__":
    content = orjson.dumps(document(ENDPOINTS), option=orjson.OPT_INDENT_2)
    Path(sys.argv[1]).write_bytes(content + b"\n")
