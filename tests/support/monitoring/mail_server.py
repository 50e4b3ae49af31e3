"""A mail server on this machine that keeps what it is sent, and who sent it."""

from __future__ import annotations

import base64
import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_string, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """`addressed`: the commands MAIL and RCPT; `logins`: users with their passwords."""

    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    addressed: list[str] = field(default_factory=list)
    port: int = 0

    @contextlib.contextmanager
    def listening(self) -> Iterator[MailServer]:
        handler = type("Bound", (_Session,), {"kept": self})
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


class _Session(socketserver.StreamRequestHandler):
    kept: MailServer

    def handle(self) -> None:
        self._say("220 mail.test ESMTP")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            word = line.partition(" ")[0].upper()
            if word == "EHLO":
                self._say("250-mail.test\r\n250 AUTH PLAIN")
            elif word == "AUTH":
                _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                self.kept.logins.append((user, password))
                self._say("235 welcome")
            elif word == "DATA":
                self._say("354 go on")
                self._read_mail()
                self._say("250 taken")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self.kept.addressed.append(line)
                self._say("250 yes")

    def _read_mail(self) -> None:
        lines = []
        while (line := self.rfile.readline().decode().rstrip("\r\n")) != ".":
            lines.append(line.removeprefix("."))
        mail = message_from_string("\n".join(lines), policy=policy.default)
        self.kept.mails.append(mail)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
