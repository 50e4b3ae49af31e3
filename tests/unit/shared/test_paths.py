"""Roots say what may be touched; the path map translates both ways."""

import os
from pathlib import Path

import pytest

from shared.errors import BadInput, NotAllowed
from shared.opening import open_file
from shared.paths import PathMap, Roots
from shared.settings import Settings

STUDIO = PathMap(
    (
        ("Z:\\footage", "/mnt/nas/footage"),
        ("/Volumes/footage", "/mnt/nas/footage"),
        ("/Volumes/footage/day 2", "/mnt/fast/day2"),
        ("\\\\nas01\\share", "/mnt/share"),
    )
)


@pytest.mark.parametrize(
    ("client", "server"),
    [
        ("/Volumes/footage/a.mp4", "/mnt/nas/footage/a.mp4"),
        ("/Volumes/footage/day 2/a.mp4", "/mnt/fast/day2/a.mp4"),
        ("/Volumes/footage2/a.mp4", "/Volumes/footage2/a.mp4"),
        ("Z:\\footage\\Tag 1\\Ü #1%.mp4", "/mnt/nas/footage/Tag 1/Ü #1%.mp4"),
        ("z:/FOOTAGE/a.mp4", "/mnt/nas/footage/a.mp4"),
        ("\\\\NAS01\\share\\x\\y.mxf", "/mnt/share/x/y.mxf"),
        ("/media//x/../y.mp4", "/media/y.mp4"),
        ("/Volumes/footage", "/mnt/nas/footage"),
    ],
)
def test_the_longest_client_prefix_wins_on_a_folder_border(client: str, server: str) -> None:
    assert STUDIO.to_server(client) == server


@pytest.mark.parametrize(
    ("server", "like", "client"),
    [
        ("/mnt/nas/footage/a/b.mp4", None, "Z:\\footage\\a\\b.mp4"),
        ("/mnt/nas/footage/a/b.mp4", "/Volumes/footage/cache", "/Volumes/footage/a/b.mp4"),
        ("/mnt/nas/footage/a/b.mp4", "Z:\\footage\\x", "Z:\\footage\\a\\b.mp4"),
        ("/mnt/nas/footage/a/b.mp4", "/Volumes/other", "/Volumes/footage/a/b.mp4"),
        ("/mnt/fast/day2/b.mp4", None, "/Volumes/footage/day 2/b.mp4"),
        ("/mnt/share/x/y.mxf", None, "\\\\nas01\\share\\x\\y.mxf"),
        ("/elsewhere/a.mp4", None, "/elsewhere/a.mp4"),
        ("/mnt/nas/footage/a/b.mp4", "/mnt/nas/footage/cache", "/mnt/nas/footage/a/b.mp4"),
        ("/mnt/nas/footage/a/b.mp4", "/mnt/fast/day2/cache", "/mnt/nas/footage/a/b.mp4"),
    ],
)
def test_each_client_gets_its_own_form_back(server: str, like: str | None, client: str) -> None:
    assert STUDIO.to_client(server, like) == client


@pytest.mark.parametrize("path", ["a.mp4", "./a.mp4", "C:\\unmapped\\a.mp4", "", "~/a.mp4"])
def test_a_relative_path_is_refused_by_field_name(path: str) -> None:
    with pytest.raises(BadInput, match=r"visual_media_paths\[3\]"):
        STUDIO.to_server(path, "visual_media_paths[3]")


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(BadInput, match="NUL"):
        PathMap().to_server("/a\x00b")


def test_dots_cannot_leave_the_roots(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {"RUSHES_MEDIA_ROOTS": str(tmp_path / "media"), "RUSHES_STATE_DIR": str(tmp_path / "state")}
    )
    roots = Roots.media(settings)
    roots.check(str(tmp_path / "media" / "a.mp4"))
    with pytest.raises(NotAllowed, match="RUSHES_MEDIA_ROOTS"):
        roots.check(PathMap().to_server(f"{tmp_path}/media/../secret.mp4"))
    with pytest.raises(NotAllowed):
        roots.check(str(tmp_path / "media2" / "a.mp4"))


def test_a_symbolic_link_cannot_leave_the_roots(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    (tmp_path / "secret.mp4").write_bytes(b"x")
    os.symlink(tmp_path / "secret.mp4", media / "link.mp4")
    settings = Settings.from_env(
        {"RUSHES_MEDIA_ROOTS": str(media), "RUSHES_STATE_DIR": str(tmp_path / "state")}
    )
    Roots.media(settings).check(str(media / "link.mp4"))
    with pytest.raises(NotAllowed, match="leads outside"):
        open_file(str(media / "link.mp4"), Roots.media(settings))


def test_without_roots_everything_but_the_state_dir_is_allowed(tmp_path: Path) -> None:
    settings = Settings.from_env({"RUSHES_STATE_DIR": str(tmp_path / "state")})
    Roots.media(settings).check("/anything/else.mp4")
    with pytest.raises(NotAllowed, match="RUSHES_STATE_DIR"):
        Roots.cache(settings).check(str(tmp_path / "state" / "search"))


def test_exports_may_go_where_media_and_caches_lie(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {
            "RUSHES_MEDIA_ROOTS": "/media",
            "RUSHES_CACHE_ROOTS": "/cache",
            "RUSHES_STATE_DIR": str(tmp_path / "state"),
        }
    )
    Roots.export(settings).check("/media/out")
    Roots.export(settings).check("/cache/out")
    with pytest.raises(NotAllowed, match="RUSHES_EXPORT_ROOTS"):
        Roots.export(settings).check("/tmp/out")
