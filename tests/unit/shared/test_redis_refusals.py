"""A command that Redis refuses is told in a sentence with a cure; the log has Redis's own words."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from shared.errors import RedisAway
from shared.redis.clients import translated

_SCRIPT = "Error running script (call to f_9a84): @user_script:3: "


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (f"{_SCRIPT}OOM command not allowed", "its memory is full. Raise its maxmemory."),
        ("MISCONF Errors writing to the AOF file", "it cannot write to its disk (MISCONF)."),
        ("READONLY You can't write", "it is a replica that cannot be written."),
        (f"{_SCRIPT}WRONGTYPE", "the server's log has the reason."),
    ],
)
def test_a_refused_command_is_told_in_a_sentence(
    caplog: pytest.LogCaptureFixture, words: str, told: str
) -> None:
    caplog.set_level("INFO")
    with pytest.raises(RedisAway) as raised, translated():
        raise ResponseError(words)
    message = raised.value.message
    assert message.startswith(f"Redis refused a command: {told}")
    assert message.endswith("Nothing was accepted.")
    assert "script" not in message
    assert words in caplog.text
