"""The real API in a process that notes every open below NOTED, a byte each in NOTES."""

import os
import sys

NOTED = os.environ["NOTED"]
NOTES = os.environ["NOTES"]


def note(event: str, arguments: tuple[object, ...]) -> None:
    if event not in ("open", "os.listdir", "os.scandir"):
        return
    if isinstance(arguments[0], str) and arguments[0].startswith(NOTED):
        fd = os.open(NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(fd, b"x")
        os.close(fd)


if __name__ == "__main__":
    sys.addaudithook(note)
    from api.__main__ import main

    main()
