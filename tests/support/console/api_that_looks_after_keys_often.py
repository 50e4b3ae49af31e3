"""An API process that soon puts sockets out whose key or session is no more."""

from __future__ import annotations

from api import __main__ as api
from api.realtime import server
from shared.process.ending import end_with

if __name__ == "__main__":
    server.KEY_CHECK_S = 0.2
    end_with(api.main)
