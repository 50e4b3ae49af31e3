"""Words of the API in its messages, replaced by the commands and options of this program."""

from __future__ import annotations

import re

_WORDS = (
    (r"take them from /faces/clusters/(faces|voices)", "`rushes people show` lists them"),
    (r"GET /faces/edits", "`rushes people edits`"),
    (r"GET /faces/people", "`rushes people known`"),
    (r"PUT /faces/clusters/names", "`rushes people name`"),
    (r"GET /analysis-data/deletions", "`rushes data deletions`"),
    (r"GET /watch-folders", "`rushes watch list`"),
    (r"POST /watch-folders/service/start", "`rushes watch start`"),
    (r"POST /analyze", "`rushes analyze`"),
    (r"make it, or send create_dir: true", "make it first"),
    (r"with `speakers`", "with --speakers"),
    (r"is no (face|voice)_id", r"is no id of a \1"),
    (r'send model_type: "(\w+)"', r"name it with --type \1"),
    # Of what was typed, which the sentence names.
    (r"^(\w*paths|assignments|merges|moves|transcription_jobs)\[\d+\](\.\w+)?: ", ""),
)


def in_words_of_commands(message: str) -> str:
    """Return a message of the API as a user of the command line would put it."""
    for pattern, words in _WORDS:
        message = re.sub(pattern, words, message)
    return message
