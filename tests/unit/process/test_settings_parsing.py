"""Each setting is read from its variable, and a wrong value is one sentence that names it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.settings import OTHER_VARIABLES, PREFIX, Settings

GIVEN: dict[str, tuple[str, object]] = {
    "host": ("::1", "::1"),
    "port": ("7000", 7000),
    "state_dir": ("/srv/rushes", Path("/srv/rushes")),
    "redis_url": ("redis://redis:6379/0", "redis://redis:6379/0"),
    "license_keys": ("one, two,", ("one", "two")),
    "media_roots": ("/a:/b c", (Path("/a"), Path("/b c"))),
    "cache_roots": ("/cache", (Path("/cache"),)),
    "export_roots": ("/out", (Path("/out"),)),
    "path_map": (
        "Z:\\footage=/mnt/f; /Volumes/f=/mnt/f",
        (("Z:\\footage", "/mnt/f"), ("/Volumes/f", "/mnt/f")),
    ),
    "instance": ("studio-2", "studio-2"),
    "workers": ("3", 3),
    "decode_threads": ("6", 6),
    "query_workers": ("2", 2),
    "device": ("cuda:1", "cuda:1"),
    "cors_origins": ("null,https://a.example", ("null", "https://a.example")),
    "allowed_hosts": (
        "rushes.example.com, *.studio.example",
        ("rushes.example.com", "*.studio.example"),
    ),
    "public_url": ("https://Studio.example:443/rushes/", "https://studio.example/rushes"),
    "webhook_hosts": ("mam.example, *.studio.example", ("mam.example", "*.studio.example")),
    "socket_auth": ("Required", "required"),
    "on_busy": ("Replace-any", "replace-any"),
    "ingest_share": ("0.25", 0.25),
    "metrics": ("off", False),
    "console": ("off", False),
    "max_body_mb": ("8", 8),
    "preview_cache_mb": ("0", 0),
    "models_dir": ("/weights", Path("/weights")),
    "visual_model": ("ViT-B-32--openai", "ViT-B-32--openai"),
    "allow_noncommercial": ("on", True),
    "model_idle_minutes": ("5", 5),
    "model_memory_mb": ("2000", 2000),
    "speech_model": ("whisper-turbo", "whisper-turbo"),
    "speech_second_model": ("whisper-tiny.en", "whisper-tiny.en"),
    "speakers": ("off", False),
    "audio_streams": ("Each", "each"),
    "face_model": ("other", "other"),
    "watch_extensions": ("+Mod, tod,-.gif", ((".mod", True), (".tod", True), (".gif", False))),
    "watch_rescan_seconds": ("60", 60),
    "watch_poll_seconds": ("2", 2),
    "traces_endpoint": ("http://collector:4318", "http://collector:4318"),
    "log_level": ("debug", "DEBUG"),
    "log_format": ("JSON", "json"),
}

WRONG: list[tuple[str, str, str]] = [
    ("port", "x", "whole number"),
    ("port", "0", "1 to 65535"),
    ("port", "70000", "1 to 65535"),
    ("workers", "0", "at least 1"),
    ("decode_threads", "0", "1 to 64, not 0"),
    ("decode_threads", "65", "1 to 64, not 65"),
    ("decode_threads", "all", "whole number"),
    ("max_body_mb", "0", "at least 1"),
    ("max_body_mb", "1.5", "whole number"),
    ("preview_cache_mb", "-1", "at least 0"),
    ("redis_url", "localhost:6379", "redis://"),
    ("redis_url", "redis://redis:port/0", "no address of a Redis"),
    ("device", "gpu", "auto, cpu, mps, cuda or cuda:N"),
    ("device", "cuda:x", "auto, cpu, mps, cuda or cuda:N"),
    ("metrics", "maybe", "on or off"),
    ("console", "maybe", "on or off"),
    ("watch_rescan_seconds", "0", "at least 1"),
    ("watch_poll_seconds", "0", "at least 1"),
    ("watch_extensions", "+", "+mod or -gif"),
    ("watch_extensions", "*.mod", "+mod or -gif"),
    ("allow_noncommercial", "maybe", "on or off"),
    ("socket_auth", "never", "optional, required"),
    ("on_busy", "stop", "replace, replace-any, queue, refuse"),
    ("ingest_share", "95", "0 to 0.9"),
    ("ingest_share", "ten", "0 to 0.9"),
    ("audio_streams", "second", "mix, first, each"),
    ("traces_endpoint", "collector:4318", "http://collector:4318"),
    ("traces_endpoint", "http://collector:port", "http://collector:4318"),
    ("traces_endpoint", "http://collector:4318?key=secret", "without ? or #"),
    ("public_url", "studio.example/rushes", "http:// or https://"),
    ("public_url", "ftp://studio.example", "http:// or https://"),
    ("public_url", "https://", "not 'https://'"),
    ("public_url", "https://studio.example/rushes?a=b", "nothing behind it"),
    ("public_url", "https://studio.example/rushes#top", "nothing behind it"),
    ("public_url", "https://studio.example/rushes, please", "nothing behind it"),
    ("public_url", "https://studio.example//rushes", "nothing behind it"),
    ("public_url", "https://studio.example/../rushes", "nothing behind it"),
    ("public_url", "https://studio.example:66999", "nothing behind it"),
    ("public_url", "https://me:secret@studio.example", "nothing behind it."),
    ("public_url", "https://studio.example/rushes/api/v1/", "end before /api/v1"),
    ("state_dir", "~no one/rushes", "names no home"),
    ("port", "tcp://10.0.0.1:6699", "enableServiceLinks"),
    ("log_level", "LOUD", "DEBUG, INFO"),
    ("log_format", "xml", "text, json"),
    ("media_roots", "footage", "absolute"),
    ("cache_roots", "/a:b", "absolute"),
    ("cache_roots", ":", "name a folder"),
    ("export_roots", "./out", "absolute"),
    ("state_dir", "state", "absolute"),
    ("models_dir", "weights", "absolute"),
    ("path_map", "Z:\\footage", "client=server"),
    ("path_map", "Z:=footage", "client=server"),
    ("model_idle_minutes", "soon", "whole number"),
    ("model_memory_mb", "all", "whole number"),
]


def variable(name: str) -> str:
    return PREFIX + name.upper()


def test_every_setting_is_tried_here() -> None:
    assert set(GIVEN) == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_a_setting_is_read_from_its_variable(name: str) -> None:
    raw, parsed = GIVEN[name]
    settings = Settings.from_env({variable(name): raw})
    assert getattr(settings, name) == parsed
    untouched = Settings.from_env({})
    assert getattr(untouched, name) != parsed


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_an_empty_value_counts_as_unset(name: str) -> None:
    assert Settings.from_env({variable(name): " "}) == Settings.from_env({})


@pytest.mark.parametrize(("name", "raw", "reason"), WRONG)
def test_a_wrong_value_is_one_sentence_that_names_the_setting(
    name: str, raw: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=variable(name)) as caught:
        Settings.from_env({variable(name): raw})
    assert reason in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "footage.local"])
def test_a_host_that_others_can_reach_needs_roots(host: str) -> None:
    with pytest.raises(SettingsError, match="RUSHES_MEDIA_ROOTS and RUSHES_CACHE_ROOTS"):
        Settings.from_env({"RUSHES_HOST": host})
    roots = {"RUSHES_MEDIA_ROOTS": "/a", "RUSHES_CACHE_ROOTS": "/b"}
    assert Settings.from_env({"RUSHES_HOST": host, **roots}).media_roots == (Path("/a"),)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_roots(host: str) -> None:
    assert Settings.from_env({"RUSHES_HOST": host}).media_roots is None


def test_the_state_lies_where_the_desktop_standard_says() -> None:
    assert Settings.from_env({"XDG_STATE_HOME": "/x"}).state_dir == Path("/x/rushes")
    both = {"XDG_STATE_HOME": "/x", "RUSHES_STATE_DIR": "/y"}
    assert Settings.from_env(both).state_dir == Path("/y")
    assert Settings.from_env({}).state_dir == Path.home() / ".local/state/rushes"


def test_weights_lie_in_the_state_folder_unless_told_otherwise() -> None:
    assert Settings.from_env({"RUSHES_STATE_DIR": "/y"}).weights_dir == Path("/y/models")


def test_settings_cannot_be_changed_once_read() -> None:
    settings = Settings.from_env({})
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("RUSHES_MEDIA_ROOT", "did you mean RUSHES_MEDIA_ROOTS?"),
        ("RUSHES_SERVRE", "did you mean RUSHES_SERVER?"),
        ("RUSHES_ZZZZZZZZ", "unset it."),
    ],
)
def test_an_unknown_name_with_our_prefix_is_refused_with_the_nearest_known(
    name: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=rf"There is no setting {name}: ") as caught:
        Settings.from_env({name: "x"})
    assert said in caught.value.message
    assert Settings.from_env({name: ""}) == Settings.from_env({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUSHES_API_SERVICE_HOST", "10.0.0.1"),
        ("RUSHES_API_PORT", "tcp://10.0.0.1:6699"),
        ("RUSHES_PORT_6699_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_what_kubernetes_adds_is_called_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} .*`enableServiceLinks: false`"):
        Settings.from_env({name: value})


def test_variables_of_the_scripts_and_the_command_line_are_none_of_the_servers() -> None:
    others = dict.fromkeys(OTHER_VARIABLES, "x")
    assert Settings.from_env(others) == Settings.from_env({})


def test_everything_that_is_wrong_is_said_at_once_and_the_rest_is_read() -> None:
    settings, wrong = Settings.read(
        {"RUSHES_PORT": "x", "RUSHES_DEVICE": "gpu", "RUSHES_WORKER": "2", "RUSHES_WORKERS": "3"}
    )
    assert [sentence.partition(" must")[0] for sentence in wrong] == [
        "There is no setting RUSHES_WORKER: did you mean RUSHES_WORKERS?",
        "RUSHES_PORT",
        "RUSHES_DEVICE",
    ]
    assert (settings.port, settings.workers) == (Settings().port, 3)


def test_a_user_without_a_home_must_name_a_state_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(path: Path) -> Path:
        if str(path).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return path

    monkeypatch.setattr(Path, "expanduser", refuses)
    with pytest.raises(SettingsError, match=r"no home folder: set RUSHES_STATE_DIR"):
        Settings.from_env({})
    assert Settings.from_env({"RUSHES_STATE_DIR": "/state"}).state_dir == Path("/state")
