"""What the disk says of a media file is asked of what was opened, never by name again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.http.client_paths import ClientPaths
from api.media.answers import MediaItem
from api.media.routes import _facts
from shared.errors import MediaUnreadable
from shared.settings import Settings


@pytest.mark.parametrize("leads_to", ["there", "nothing"])
def test_a_link_that_leads_elsewhere_by_now_is_not_followed(tmp_path: Path, leads_to: str) -> None:
    (tmp_path / "there").touch()
    link = tmp_path / "film.mov"

    def open_media(_: str) -> None:
        link.symlink_to(tmp_path / leads_to)
        raise MediaUnreadable

    services = SimpleNamespace(paths=SimpleNamespace(open_media=open_media))
    item = MediaItem(media_path=str(link))
    with pytest.raises(MediaUnreadable):
        _facts(cast(Any, services), item, str(link))
    assert item.exists


def test_what_no_file_can_be_called_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    settings = Settings.from_env({"RUSHES_REDIS_URL": "unix:///nowhere"})
    services = SimpleNamespace(paths=ClientPaths(settings))
    for name in ("x" * 300, "loop"):
        item = MediaItem(media_path=name)
        with pytest.raises(MediaUnreadable):
            _facts(cast(Any, services), item, str(tmp_path / name))
        assert not item.exists
