"""uvicorn's connections, with limits for the time and the size of a request's head."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S = 10.0
READER_S = 60.0
_LARGEST_HEAD = 1 << 16


class LimitedConnection(HttpToolsProtocol):
    """Ends where the head of a request takes longer than HEAD_S, or more than 64 KiB.

    So does one on which something else than a new request comes after an answer. Idle ones end by
    uvicorn's own timer, and while a request is served the time of its body is the reader's matter.
    A client that takes nothing of an answer for READER_S is cut off.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _reader_timer: asyncio.TimerHandle | None = None
    _unparsed = 0  # bytes since the parser made something of them

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        self._reader_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._expect_head()
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > _LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is larger than 64 KiB.")

    def on_headers_complete(self) -> None:
        self._head_came()
        self._unparsed = 0
        self._note_host_of_url()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def _note_host_of_url(self) -> None:
        """Add the host of a URL in absolute form to the headers, unless they name it already."""
        scheme, _, rest = self.url.partition(b"://")
        host = rest.partition(b"/")[0].lower()
        if scheme.isalpha() and host not in (v.lower() for n, v in self.headers if n == b"host"):
            self.headers.append((b"host", host))

    def _expect_head(self) -> None:
        is_serving = self.cycle is not None and not self.cycle.response_complete
        if self._head_timer is None and not is_serving:
            self._head_timer = self.loop.call_later(HEAD_S, self.timeout_keep_alive_handler)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        self._reader_came()
        super().resume_writing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_reader()

    def _await_reader(self, last: int = 0) -> None:
        """Look again and again whether less is left of an answer than the `last` time."""
        self._reader_came()
        left = self.transport.get_write_buffer_size()
        if left and left == last:
            self.transport.abort()
        elif left:
            self._reader_timer = self.loop.call_later(READER_S, self._await_reader, left)

    def _reader_came(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None
