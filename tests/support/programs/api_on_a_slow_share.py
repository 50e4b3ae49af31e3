"""The real API in a process where every open below SLOW_SHARE takes 20 ms, and is recorded."""

import os
import sys
import time

SHARE = os.environ["SLOW_SHARE"]
RECORD = os.environ["SLOW_SHARE_RECORD"]


def slow_open(event: str, arguments: tuple[object, ...]) -> None:
    if event not in ("open", "os.listdir", "os.scandir"):
        return
    if isinstance(arguments[0], str) and arguments[0].startswith(SHARE):
        time.sleep(0.02)  # noqa: TID251 - the share's own latency, not a wait in a test
        fd = os.open(RECORD, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(fd, b"x")
        os.close(fd)


if __name__ == "__main__":
    sys.addaudithook(slow_open)
    from api.__main__ import main

    main()
