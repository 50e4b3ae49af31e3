"""The command line against a real server, which it reaches by the public API alone."""

from __future__ import annotations

import base64
import contextlib
import http.server
import io
import json
import os
import re
import shlex
import signal
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cli.checks import everything
from shared.cache.cache_dir import CacheDir
from shared.settings import Settings
from tests.support.cli.remote_command import RUSHES, Command
from tests.support.media.by_path import hash_media
from tests.support.media.media import make_still, picture_video
from tests.support.media.sounds import SoundEncoding, write_sounds
from tests.support.media.speech import RATE, spoken, together
from tests.support.stack import KEY, Client, Stack

SAID = "Nobody in the village had ever seen him smile."


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    """Two clips, one of them with speech, a still in a subfolder, and what is no footage."""
    folder = tmp_path_factory.mktemp("footage")
    picture_video(folder / "cat [bold].mp4", [(photos["cat"], 2), (photos["rocket"], 2)])
    make_still(folder / "stills" / "coffee.png", photos["coffee"])
    said = together([0.5, spoken(SAID), 0.5])
    pictures = [n / 5 for n in range(int(said.seconds * 5))]
    write_sounds(
        folder / "interview.mov",
        [said.pcm],
        rate=RATE,
        encoding=SoundEncoding(pictures_at=pictures),
    )
    (folder / "notes.txt").write_text("no footage")
    (folder / ".trash").mkdir()
    (folder / ".trash" / "gone.mp4").write_bytes(b"hidden")
    (folder / "proxies").mkdir()
    (folder / "proxies" / "cat.mp4").write_bytes(b"excluded")
    return folder


@pytest.fixture(scope="module")
def command(stack: Stack, footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    cache = {"RUSHES_CACHE_DIR": str(footage / "cache")}
    return Command(stack.client().url, KEY, tmp_path_factory.mktemp("home"), cache)


@pytest.fixture(scope="module")
def analyzed(command: Command, footage: Path) -> tuple[str, str]:
    """What `rushes analyze` of the folder printed; its stdout and stderr."""
    result = command.run("analyze", footage, "--exclude", "proxies/*", "--language", "en")
    return result.stdout, result.stderr


@contextlib.contextmanager
def frozen_worker(stack: Stack) -> Iterator[None]:
    """Nobody takes up an analysis for as long as this lasts."""
    worker = stack.processes["analysis-0"]
    worker.kill(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.kill(signal.SIGCONT)


def newest(client: Client) -> dict[str, object]:
    return dict(client.get("/tasks").json()["tasks"][0])


def test_a_folder_is_walked_and_analyzed_by_what_each_file_is(
    analyzed, command, footage, stack
) -> None:
    stdout, stderr = analyzed
    assert stdout == "Completed.\n"
    assert "3 files (2 video, 1 image)" in stderr
    assert "3 for pictures, 1 for speech" in stderr
    assert "Left out: other files (1)." in stderr
    task_id = str(newest(stack.client())["task_id"])
    shown = command.json("tasks", "show", task_id)
    assert {file["media_path"] for file in shown["files"]} == {
        str(footage / name) for name in ("cat [bold].mp4", "interview.mov", "stills/coffee.png")
    }
    assert str(footage / "cat [bold].mp4") in command.run("tasks", "show", task_id).stdout
    assert task_id in command.run("tasks", "list").stdout


def test_a_list_on_stdin_is_sent_and_the_file_that_fails_is_named(
    analyzed, command, footage, tmp_path
) -> None:
    missing = tmp_path / "missing\nfile.mov"
    paths = b"\0".join(os.fsencode(path) for path in (footage / "interview.mov", missing))
    result = command.run("analyze", "--from0", "-", "--no-speech", status=1, stdin=paths)
    assert "failed: " in result.stdout
    assert "The file does not exist." in result.stdout
    event = json.loads(
        command.run("analyze", "-", "--json", status=1, stdin=b"nowhere.mov\n").stdout
    )
    assert event["failed_files"][0]["media_path"] == str(command.folder / "nowhere.mov")


def test_a_second_analysis_is_refused_with_what_to_do_and_ctrl_c_leaves_the_first(
    analyzed, command, footage, stack
) -> None:
    client = stack.client()
    still = footage / "stills"
    with frozen_worker(stack):
        with command.on_terminal("analyze", still, "--force", TERM="xterm") as terminal:
            terminal.shows("0/1")
            task_id = str(newest(client)["task_id"])
            assert "--on-busy queue" in command.refused("analyze", still)
            terminal.process.send_signal(signal.SIGINT)
            assert terminal.end() == 130
        assert f"rushes tasks cancel {task_id}" in " ".join(terminal.text.split())
        assert client.task(task_id)["status"] == "queued"
        queued = command.run("analyze", still, "--on-busy", "queue", "--detach").stdout.strip()
        assert command.json("tasks", "cancel", task_id)["cancelled"] is True
    assert command.json("tasks", "follow", queued)["status"] == "completed"
    assert command.json("tasks", "follow", task_id, status=1)["status"] == "cancelled"


def test_a_search_prints_a_table_or_paths_or_the_answer_as_it_is(
    analyzed, command, footage, stack
) -> None:
    table = command.run("search", "an", "espresso").stdout
    assert table.startswith(f"in {footage}/stills/\n")
    assert re.search(r"1 │ coffee.png │ 00:00:00 │ +│ (strong|fair) 0\.\d\d +│\n", table)
    lines = command.run("search", "a cat", "--in", footage / "cat [bold].mp4", "--paths").stdout
    assert lines.splitlines()[0] == f"{footage}/cat [bold].mp4\t00:00:00"
    asked = {"cache_dir": str(footage / "cache"), "query": "a cat", "max_results": 2}
    answer = stack.client().ok("/search/text", **asked, details=True, min_strength="weak")
    assert command.json("search", "a cat", "--max", "2") == answer


def test_a_search_is_narrowed_sorted_grouped_and_followed_to_its_end(
    analyzed, command, footage
) -> None:
    def paths(*more: str) -> list[str]:
        asked = ["search", "a cat", "--min-strength", "any", "--paths", *more]
        return [
            line.removeprefix(f"{footage}/") for line in command.run(*asked).stdout.splitlines()
        ]

    stills = f"folder={footage}/stills"
    assert paths("--where", stills) == ["stills/coffee.png\t00:00:00"]
    clip = ["--where", "length=3..4.5", "--where", "sound=no", "--where", "codec=avc"]
    assert {line.split("\t")[0] for line in paths(*clip)} == {"cat [bold].mp4"}
    by_time = paths("--sort", "time", "--all")
    assert by_time == sorted(by_time)
    assert sorted(paths("--max", "50")) == by_time
    assert len({line.split("\t")[0] for line in paths("--by-file", "--max", "2")}) == 2
    found = command.json("search", "an espresso", "--where", stills, "--by-file")
    assert [group["media_path"] for group in found["groups"]] == [f"{footage}/stills/coffee.png"]
    spoken = ["--said", "village", "--where", "language=english", "--paths", "--all"]
    assert command.run("search", *spoken).stdout.startswith(f"{footage}/interview.mov\t")
    assert command.run("search", *spoken, "--where", "sound=no", status=1).stdout == ""
    wrong = command.refused("search", "a cat", "--where", "length=5..3")
    assert "filters.seconds: nothing can be both; swap the bounds or drop one." in wrong


def test_all_that_is_known_of_a_file_is_on_one_screen(analyzed, command, footage, stack) -> None:
    path = footage / "interview.mov"
    shown = command.run("info", path).stdout
    lines = dict(
        re.split(r" {2,}", line, maxsplit=1) for line in shown.splitlines() if line[0] > " "
    )
    assert len(shown.splitlines()) < 50
    assert (lines["file"], lines["place"]) == (str(path), str(path))
    assert "whisper-base" in lines["transcript"]
    assert "conse-lite0" in lines["visual"]
    assert "english" in lines["speech"]
    assert "village" in shown
    assert lines["scenes"].startswith("1: 00:00:00")
    assert {"hash", "size", "kind", "length", "picture", "sound", "frames"} <= lines.keys()
    asked = {"media_paths": [str(path)], "cache_dir": str(footage / "cache")}
    plain = stack.client().ok("/media/metadata", **asked)
    assert plain.keys() == {"media"}, "who does not ask gets the answer of before"
    assert command.json("info", path)["media"] == plain["media"]
    aside = path.rename(path.with_suffix(".aside"))
    away = command.run("info", path).stdout
    aside.rename(path)
    assert "The file does not exist." in away
    assert f"{path} (offline)" in away
    assert lines["picture"] in away, "as it was when it was analyzed"
    unknown = command.run("info", footage / "nowhere.mov", status=1).stdout
    assert "The file does not exist." in unknown


def test_the_doctor_names_the_command_that_makes_a_transcript_again(
    analyzed, command, footage, stack
) -> None:
    path, cache = footage / "interview.mov", CacheDir.open(footage / "cache", create=False)
    settings = Settings(state_dir=stack.folder / "state")
    place = cache.media_dir(hash_media(str(path))).path / "manifest.transcript.whisper-base.json"
    fields = json.loads(place.read_bytes())
    assert fields.pop("vocabulary") == []
    place.write_text(json.dumps(fields))
    assert "vocabulary_used" not in command.json("info", path)["details"][0]["transcript"]
    [found] = everything.with_folder_names(settings, stack.redis_url)
    _, words, _ = found.cure.split("`")
    command.run(*shlex.split(words)[1:])
    assert list(everything.with_folder_names(settings, stack.redis_url)) == []
    assert command.json("info", path)["details"][0]["transcript"]["vocabulary_used"] == []


def test_a_search_that_finds_nothing_says_why_and_ends_with_1(analyzed, command, footage) -> None:
    nobody = command.run("search", "a cat", "--person", "Season 1/Nobody", status=1)
    assert nobody.stdout == ""
    assert "There is no collection 'Season 1' in this cache folder." in nobody.stderr
    nonsense = command.run("search", "blorf zint quaddle", status=1)
    assert "conse-lite0 hardly knows these words" in nonsense.stderr
    assert "Nothing is strong enough; the nearest has a score of 0.0" in nonsense.stderr
    found = command.run("search", "blorf zint quaddle", "--min-strength", "any", "--paths").stdout
    assert len(found.splitlines()) > 1
    assert command.json("search", "blorf zint quaddle", status=1)["matches"] == []
    elsewhere = footage / "not analyzed.png"
    elsewhere.write_bytes((footage / "stills" / "coffee.png").read_bytes() + b"more")
    silent = command.run("search", "an espresso", "--in", elsewhere, status=1)
    assert f"Not analyzed with conse-lite0, or not there: {elsewhere}." in silent.stderr
    assert "Searched 0 of 1 files" in silent.stderr
    reason = "It was not analyzed for this, and does not wait for it."
    assert f"1 not analyzed: {reason} ({elsewhere})" in silent.stderr
    elsewhere.unlink()
    empty = command.run("search", "a cat", "--cache", footage / "no cache yet", status=1)
    assert "Nothing in this cache folder is analyzed with conse-lite0 yet." in empty.stderr


def test_a_search_says_how_much_of_the_footage_it_knows(analyzed, command) -> None:
    found = command.run("search", "an espresso", "--coverage", "--max", "1")
    told = r"Searched (\d+) of \d+ files, .* (hours|minutes) that are known, with conse-lite0"
    assert re.search(told, found.stderr)
    said = command.json("search", "--said", "village", "--coverage")["coverage"]
    assert said["asked"]["files"] >= said["searched"]["files"] > 0


def test_pictures_and_frames_are_searched_by(analyzed, command, footage, photos) -> None:
    coffee = f"{footage}/stills/coffee.png\t00:00:00"
    # A name of this machine that the command does not know for its own: it sends the picture.
    elsewhere = command.server.replace("127.0.0.1", "127.1")
    for server in (command.server, elsewhere):
        found = command.run("search", "--image", photos["coffee"], "--paths", "--server", server)
        assert found.stdout.splitlines()[0] == coffee
    frame = f"{footage}/cat [bold].mp4@0:03"
    by_frame = ["search", "--frame", frame, "--max", "1", "--paths"]
    first = command.run(*by_frame).stdout
    assert re.fullmatch(rf"{re.escape(str(footage))}/cat \[bold\]\.mp4\t00:00:0[23]\n", first)
    quick = command.run(*by_frame, "--fast")
    assert quick.stdout == first
    assert 'mode: "fast" was answered as "exact"' in quick.stderr, "these are few frames"


def test_half_blocks_are_shown_where_a_terminal_has_colours(analyzed, command) -> None:
    search = ["search", "an espresso", "--max", "1"]
    with command.on_terminal(*search, TERM="xterm-256color", COLORTERM="truecolor") as terminal:
        assert terminal.end() == 0
    assert "▀" in terminal.text
    assert "\x1b[38;2;" in terminal.text
    assert "coffee.png" in terminal.text
    assert "▀" in command.run(*search, "--pictures", "on").stdout


def test_kitty_and_iterm_are_given_the_picture_itself(analyzed, command) -> None:
    search = ["search", "an espresso", "--max", "1"]
    with (
        command.on_terminal(*search, TERM="xterm-kitty") as kitty,
        command.on_terminal(*search, TERM="xterm-256color", TERM_PROGRAM="WezTerm") as iterm,
    ):
        assert (kitty.end(), iterm.end()) == (0, 0)
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", kitty.text)
    assert pieces[0][0].startswith("a=T,f=100,")
    assert [settings[-1] for settings, _ in pieces] == ["1"] * (len(pieces) - 1) + ["0"]
    for encoded in (
        "".join(piece for _, piece in pieces),
        re.findall(r"\x1b\]1337;File=[^:]*:([^\x07]*)\x07", iterm.text)[0],
    ):
        assert Image.open(io.BytesIO(base64.b64decode(encoded))).width > 100
    assert "▀" not in kitty.text + iterm.text


def test_no_picture_is_shown_where_none_is_wanted(analyzed, command) -> None:
    search = ["search", "an espresso", "--pictures"]
    with (
        command.on_terminal(*search, "auto", TERM="xterm-256color", NO_COLOR="1") as colourless,
        command.on_terminal(*search, "auto", TERM="dumb") as dumb,
        command.on_terminal(*search, "off", TERM="xterm-kitty") as kitty,
    ):
        for terminal in (colourless, dumb, kitty):
            assert terminal.end() == 0
            assert "▀" not in terminal.text
            assert "\x1b_G" not in terminal.text
            assert "coffee.png" in terminal.text


def test_what_is_said_is_shown_found_and_exported(analyzed, command, footage, tmp_path) -> None:
    interview = footage / "interview.mov"
    shown = command.run("transcripts", "show", footage)
    assert shown.stdout.startswith(f"{interview} (english)\n00:00:0")
    assert "village" in shown.stdout
    assert "cat [bold].mp4: It is not transcribed, or it has no audio track." in shown.stderr
    assert "village" in command.run("search", "--said", "the village").stdout
    found = command.run("transcripts", "search", "vilage", "--fuzzy", "--paths").stdout
    assert found.startswith(f"{interview}\t00:00:0")
    missed = command.run("search", "--said", "vilage", status=1)
    assert 'The mode "fuzzy" finds' in missed.stderr
    assert "fuzzy" in command.run("search", "--said", "vilage", "--by", "auto").stdout
    to = ["--to", tmp_path / "subtitles"]
    written = command.run("transcripts", "export", interview, "--format", "srt", *to).stdout
    srt = tmp_path / "subtitles" / "interview.srt"
    assert written == f"{srt}\n"
    assert "-->" in srt.read_text(encoding="utf-8")
    srt.write_text("mended by hand")
    again = command.json("transcripts", "export", interview, "--format", "srt", *to, status=1)
    assert again["failed"][0]["error"] == f"{srt} exists: --force overwrites it."
    assert srt.read_text() == "mended by hand"
    command.run("transcripts", "export", interview, "--format", "srt", *to, "--force")
    assert "village" in srt.read_text(encoding="utf-8")
    command.run("transcripts", "export", interview, "--format", "docx", *to)
    assert (tmp_path / "subtitles" / "interview.docx").read_bytes()[:2] == b"PK"
    assert len(list(srt.parent.iterdir())) == 2
    every = command.json("transcripts", "export", footage, "--format", "txt", *to)
    assert str(footage / "cat [bold].mp4") in every["not_transcribed"]


def test_wrong_keys_and_wrong_addresses_are_told_in_a_sentence(command, stack) -> None:
    assert "unknown, revoked" in command.refused("tasks", "list", "--key", "wrong")
    assert "set RUSHES_KEY" in command.refused("tasks", "list", RUSHES_KEY="")
    away = command.refused("tasks", "list", "--server", "http://127.0.0.1:9")
    assert away.startswith("http://127.0.0.1:9 does not answer")
    no_address = command.refused("tasks", "list", "--server", "ftp://studio", status=2)
    assert "no address of a server" in no_address
    handler = http.server.SimpleHTTPRequestHandler
    handler.log_message = lambda *_: None  # type: ignore[assignment]
    with socketserver.TCPServer(("127.0.0.1", 0), handler) as other:
        threading.Thread(target=other.handle_request, daemon=True).start()
        address = f"127.0.0.1:{other.server_address[1]}"
        assert "no answer of Rushes" in command.refused("tasks", "list", "--server", address)
    unknown = command.run("tasks", "show", "0" * 32, "--json", status=1)
    assert unknown.stdout == ""
    assert set(json.loads(unknown.stderr)) == {"error", "message"}


def test_a_reader_that_leaves_early_causes_no_traceback(analyzed, command) -> None:
    process = subprocess.Popen(
        [RUSHES, "search", "a cat", "--json"],
        env=command.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(30) == 1


def test_bash_completes_commands_options_and_ids_of_tasks(analyzed, command, stack) -> None:
    task_id = str(newest(stack.client())["task_id"])
    script = """
        eval "$(rushes --show-completion)"
        for line in "rushes sea" "rushes analyze --on-busy " "rushes tasks show "; do
            COMP_WORDS=($line); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            if [[ $line == *" " ]]; then COMP_WORDS+=(""); COMP_CWORD=$((COMP_CWORD + 1)); fi
            _rushes_completion rushes; echo "${COMPREPLY[*]}"
        done
    """
    result = subprocess.run(
        ["bash", "-c", script],
        env=command.environment(PATH=f"{RUSHES.parent}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=True,
    )
    words, options, ids = result.stdout.splitlines()
    assert (words.strip(), options.split()) == (
        "search",
        ["replace", "replace-any", "queue", "refuse"],
    )
    assert task_id in ids.split()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_zsh_and_fish_are_answered_in_their_own_form(analyzed, command, stack, shell) -> None:
    task_id = str(newest(stack.client())["task_id"])
    asked = {
        "_RUSHES_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "rushes tasks show ",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    assert task_id in command.run(**asked).stdout
