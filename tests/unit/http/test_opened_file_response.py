"""A file that is sent: it is closed whatever happens, and what is missing shows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from api.folders import Folders
from api.opened_file_response import OpenedFileResponse, opened_in
from shared.errors import FolderHangs
from shared.opening import OpenedFile, open_file
from shared.paths import Roots
from tests.support.waiting import wait_for

SIZE = 1_000_000


@pytest.fixture
def folders() -> Iterator[Folders]:
    folders = Folders()
    yield folders
    folders.close()


@pytest.fixture
def file(tmp_path: Path) -> OpenedFile:
    (tmp_path / "a.mov").write_bytes(b"x" * SIZE)
    return open_file(str(tmp_path / "a.mov"), Roots.only(tmp_path))


def sent(folders: Folders, file: OpenedFile, *, leaves: bool = False) -> int:
    """Bytes that a client gets; one that leaves does so after the first piece."""
    got, left = 0, asyncio.Event()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal got
        got += len(message.get("body", b""))
        if got and leaves:
            left.set()
            await asyncio.Event().wait()  # its connection takes no more

    async def serve() -> None:
        response = OpenedFileResponse(file, folders, Headers(), {}, "video/quicktime")
        scope = {"type": "http", "method": "GET", "asgi": {"spec_version": "2.3"}}
        await response(scope, receive, send)

    asyncio.run(asyncio.wait_for(serve(), 10))
    return got


def test_a_file_is_sent_whole_and_closed(folders: Folders, file: OpenedFile) -> None:
    assert sent(folders, file) == SIZE
    wait_for(lambda: file.fd == -1, 5, "its end")


def test_reading_ends_when_the_client_leaves(folders: Folders, file: OpenedFile) -> None:
    assert 0 < sent(folders, file, leaves=True) < SIZE
    wait_for(lambda: file.fd == -1, 5, "its end")


def test_nobody_waits_for_a_share_to_close_a_file(folders: Folders, file: OpenedFile) -> None:
    answers = threading.Event()

    class OnHungShare(OpenedFile):
        def close(self) -> None:
            answers.wait()
            super().close()

    hanging = OnHungShare(file.fd, file.path, file.status)
    assert sent(folders, hanging) == SIZE
    answers.set()
    wait_for(lambda: hanging.fd == -1, 5, "its end")


def test_a_file_that_became_shorter_does_not_end_as_if_it_were_whole(
    folders: Folders, file: OpenedFile
) -> None:
    Path(file.path).write_bytes(b"x")
    with pytest.raises(ClientDisconnect):
        sent(folders, file)
    wait_for(lambda: file.fd == -1, 5, "its end")


def test_a_file_that_opens_when_nobody_waits_any_more_is_closed(file: OpenedFile) -> None:
    class Hanging(Folders):
        async def run(self, folder: str, work: Any, *args: Any, **named: Any) -> Any:
            self.late = work
            raise FolderHangs.of(folder)

    hanging = Hanging()
    with pytest.raises(FolderHangs):
        asyncio.run(opened_in(hanging, file.path, lambda: file))
    assert file.fd >= 0
    hanging.late()
    assert file.fd == -1
    hanging.close()
