"""`python -m workers.models pull lite|KEY…` brings weights into MODELS_DIR; `list` shows them."""

from __future__ import annotations

import os
import signal
import sys

from shared.errors import RushesError, SettingsError
from shared.models.model_catalogue import catalogue, find, is_downloaded
from shared.process import parent_pipe
from shared.settings import Settings
from workers.models.weights.pull import pull

_SETS = {"lite": ("conse-lite0", "whisper-base", "dlib-resnet")}
_USAGE = "usage: python -m workers.models pull lite|KEY... | list"


def main(arguments: list[str]) -> int:
    """Run `pull` or `list`; exit status 0: done, 1: failed, 2: wrong usage or settings."""
    try:
        settings = Settings.from_env()
        if arguments == ["list"]:
            for spec in catalogue(settings).values():
                state = "ready" if is_downloaded(settings, spec) else "-"
                print(f"{spec.key:42} {state:6} {spec.licence}")
            return 0
        if len(arguments) < 2 or arguments[0] != "pull":
            print(_USAGE, file=sys.stderr)
            return 2
        for name in arguments[1:]:
            for key in _SETS.get(name, (name,)):
                spec = find(settings, key)
                pull(settings, spec, lambda line: print(line, flush=True))
    except RushesError as error:
        print(f"rushes models: {error.message}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    return 0


def _end_our_session() -> None:
    """End the processes of this session, such as pip: `rushes up`, which began it, is gone."""
    os.killpg(os.getpgrp(), signal.SIGTERM)


if __name__ == "__main__":
    parent_pipe.watch(_end_our_session)
    sys.exit(main(sys.argv[1:]))
