"""`rushes transcripts` and `rushes search` say who speaks, and look for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from shared.cache.cache_dir import CacheDir
from tests.support.media.by_path import hash_media
from tests.support.search.talking import Said, say, talk
from tests.support.search.transcribed import captioned, publish_captions, publish_for
from tests.support.stack import KEY, Client

SAID: tuple[Said, ...] = ((0, 0, "Ready?", 1), (1, 1, "Yes, we are.", 4))


@pytest.fixture
def interview(client: Client, caches: Path, media: Path, tmp_path: Path) -> tuple[Path, CacheDir]:
    """A file in which Ada talks with somebody else, and its cache folder."""
    path = media / f"{tmp_path.name}.wav"
    path.write_bytes(path.name.encode())
    cache = CacheDir.open(caches / tmp_path.name, create=True)
    talk(cache, "Season 1", {publish_for(cache, path): (SAID, (5001, 5002))})
    body = {"cache_dir": str(cache.root), "cluster_job_name": "Season 1"}
    names = [{"cluster_id": "5001", "name": "Ada"}]
    named = client.http.put("/faces/clusters/names", json={**body, "assignments": names})
    assert named.status_code == 200, named.text
    return path, cache


def rushes(client: Client, cache: CacheDir, *arguments: str | Path, status: int = 0) -> Result:
    url = client.http.base_url
    result = CliRunner().invoke(
        app,
        [str(one) for one in arguments],
        env={
            "RUSHES_SERVER": f"{url.scheme}://{url.host}:{url.port}",
            "RUSHES_KEY": KEY,
            "RUSHES_CACHE_DIR": str(cache.root),
        },
    )
    assert result.exit_code == status, result.output
    return result


def test_who_speaks_is_shown_unless_nobody_wants_it(
    client: Client, interview: tuple[Path, CacheDir]
) -> None:
    path, cache = interview
    shown = rushes(client, cache, "transcripts", "show", path).stdout.splitlines()
    assert shown[1:] == ["00:00:00  Ada: Ready?", "00:00:01  S2: Yes, we are."]
    plain = rushes(client, cache, "transcripts", "show", path, "--no-speakers").stdout
    assert plain.splitlines()[1:] == ["00:00:00  Ready?", "00:00:01  Yes, we are."]


def test_what_is_doubtful_of_all_who_speak_is_told_beside(
    client: Client, interview: tuple[Path, CacheDir]
) -> None:
    path, cache = interview
    say(cache, hash_media(path), *SAID, warnings=("It is too noisy.",))
    shown = rushes(client, cache, "transcripts", "show", path)
    assert f"{path}: It is too noisy." in shown.stderr
    assert "noisy" not in shown.stdout


def test_files_say_who_speaks_but_subtitles_and_text_only_where_that_is_wanted(
    client: Client, interview: tuple[Path, CacheDir], tmp_path: Path
) -> None:
    path, cache = interview

    def exported(kind: str, *more: str) -> str:
        to = tmp_path / "-".join((kind, *more))
        rushes(client, cache, "transcripts", "export", path, "--format", kind, "--to", to, *more)
        return (to / f"{path.stem}.{kind}").read_text(encoding="utf-8")

    assert "Ada" not in exported("srt") + exported("txt")
    assert "Ada: Ready?" in exported("srt", "--speakers")
    assert "S2: Yes, we are." in exported("txt", "--speakers")
    assert "<v Ada>Ready?" in exported("vtt")
    assert "<v" not in exported("vtt", "--no-speakers")


def test_what_somebody_says_is_searched_by_name(
    client: Client, interview: tuple[Path, CacheDir]
) -> None:
    _, cache = interview
    by_ada = rushes(client, cache, "search", "--said", "ready", "--speaker", "ada").stdout
    assert "Ada" in by_ada
    nobody = rushes(
        client, cache, "transcripts", "search", "ready", "--speaker", "Zoe", "--coverage", status=1
    )
    told = "nobody called 'Zoe' speaks in these files. Known: 'Ada', S1 to S2."
    assert nobody.stderr.replace("\n", " ").count(told) == 1
    assert "Speakers were told apart in 1 of these files." in nobody.stderr


def test_subtitles_in_the_file_are_shown_exported_and_found_where_that_is_wanted(
    client: Client, interview: tuple[Path, CacheDir], tmp_path: Path
) -> None:
    path, cache = interview
    german = captioned((0.5, "Wir drehen.", 2), language="d/eu", title="Text")
    publish_captions(cache, hash_media(str(path)), german, captioned((1, "[door]", 2)))
    assert "Wir drehen." not in rushes(client, cache, "transcripts", "show", path).stdout
    shown = rushes(client, cache, "transcripts", "show", path, "--subtitles").stdout.splitlines()
    assert shown[3:] == [
        "subtitles in the file (d/eu, Text)",
        "00:00:00  Wir drehen.",
        "subtitles in the file",
        "00:00:01  [door]",
    ]
    export = ("transcripts", "export", path, "--format", "srt", "--to", tmp_path, "--subtitles")
    rushes(client, cache, *export)
    assert sorted(file.name for file in tmp_path.glob("*.srt")) == [
        f"{path.stem}.deu.srt",
        f"{path.stem}.subtitles.srt",
    ]
    assert "Wir drehen." in (tmp_path / f"{path.stem}.deu.srt").read_text(encoding="utf-8")
    for search in (("search", "--said"), ("transcripts", "search")):
        rushes(client, cache, *search, "drehen", status=1)
        assert "subtitles" in rushes(client, cache, *search, "drehen", "--subtitles").stdout
    publish_captions(cache, hash_media(str(path)))
    nothing = rushes(client, cache, *export, "--force", status=1)
    assert "there are no subtitles or captions in it" in nothing.stderr.replace("\n", " ")
