"""`python -m tests.image`, as root: are the images what they should be? See scripts/check-image.

debootstrap makes the tree of debian:trixie-slim; the Dockerfiles' instructions are executed in
copies of it; then the services of docker-compose.yml are started in them and used.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

from cli.demo.samples import fetch_samples
from tests.image.build import PROJECT, Builder, Image, copy_tree, run_in
from tests.image.containers import Container
from tests.image.trial import ARCHIVE, MEDIA
from tests.support.media.speech import recorded_speech

DEPLOY = PROJECT / "deploy"
OWNER = 1234  # no user of this machine, and not the images' default


def main() -> int:
    """Exit status: 0 when all of it works; else an AssertionError says what does not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--work", type=Path, help="folder to work in and to keep; about 5 GB")
    parser.add_argument("--target", default="cpu", choices=("cpu", "cuda"), help="cuda: build only")
    parser.add_argument("--mirror", help="of Debian's packages; default: debootstrap's own")
    given = parser.parse_args()
    assert os.geteuid() == 0, "This needs root: it makes chroots and mounts."
    work = given.work or Path(tempfile.mkdtemp(prefix="rushes-image-"))
    try:
        check(work.resolve(), given.target, given.mirror)
    finally:
        if given.work is None:
            shutil.rmtree(work, ignore_errors=True)
    return 0


def check(work: Path, target: str, mirror: str | None) -> None:
    began = time.monotonic()
    base = work / "base"
    if not (base / "etc/debian_version").exists():
        print(f"== debootstrap trixie into {base}", flush=True)
        subprocess.run(
            [
                "debootstrap",
                "--variant=minbase",
                "trixie",
                str(base),
                *([mirror] if mirror else []),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    for folder in ("images", "containers", "volumes", "logs"):
        shutil.rmtree(work / folder, ignore_errors=True)
    owner = {"UID": str(OWNER), "GID": str(OWNER)}
    builder = Builder(work / "images", base, owner)
    worker = builder.image(DEPLOY / "worker.Dockerfile", target)
    say_what_is_in(worker)
    if target == "cuda":
        try_libraries(worker)
    else:
        api = builder.image(DEPLOY / "api.Dockerfile", "api")
        say_what_is_in(api)
        try_out(work, api, worker, redis_image(builder))
    print(f"== all of it works ({time.monotonic() - began:.0f} s)", flush=True)


def say_what_is_in(image: Image) -> None:
    """Nothing that compiles, the right owner, the Python of Debian; how large it is."""
    found = [n for n in ("gcc", "cc", "g++", "ld", "make") if (image.root / "usr/bin" / n).exists()]
    assert not found, f"{image.root.name} holds {found}"
    assert image.user == f"{OWNER}:{OWNER}", image.user
    size = subprocess.run(["du", "-sm", image.root], capture_output=True, text=True, check=True)
    python = next((image.root / "opt/rushes/lib").iterdir()).name
    print(f"   {image.root.name}: {size.stdout.split()[0]} MB, {python}, user {image.user}")


def try_libraries(image: Image) -> None:
    """What is imported are the builds for CUDA, and they find NVIDIA's libraries, without a GPU."""
    lines = [
        "import ctypes, onnxruntime, open_clip, torch, ctranslate2",
        "assert 'CUDAExecutionProvider' in onnxruntime.get_available_providers()",
        "assert torch.version.cuda",
        "for name in ('cublas.so.12', 'cublas.so.13', 'cudart.so.13', 'cudnn.so.9'):",
        "    ctypes.CDLL('lib' + name)",
    ]
    script = "\n".join(lines)
    run_in(image, f'python -c "{script}"', image.env)
    print("   its libraries load", flush=True)


def redis_image(builder: Builder) -> Image:
    """Debian's redis-server in place of the image that the compose file names."""
    root = builder.work / "redis"
    copy_tree(builder.base, root)
    image = Image(root, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, workdir="/data")
    install = "apt-get install --yes --no-install-recommends redis-server redis-tools"
    run_in(Image(root), f"apt-get update && {install}", image.env)
    (root / "data").mkdir()
    os.chown(root / "data", OWNER, OWNER)
    return Image(root, image.env, user=f"{OWNER}:{OWNER}", workdir="/data")


def try_out(work: Path, api: Image, worker: Image, redis: Image) -> None:
    """Everything of `docker compose up --scale analysis=2`, and what a client does with it."""
    services = compose(work)
    images = {name: worker for name in services} | {"api": api, "redis": redis}
    media, archive = (work / "volumes" / folder.lstrip("/") for folder in (MEDIA, ARCHIVE))
    for folder in (media, archive):
        folder.mkdir(parents=True)
        os.chown(folder, OWNER, OWNER)
    samples = fetch_samples(PROJECT / ".rushes/samples/clips")
    bikes = next(path for path in samples.footage if path.name == "bikes.mp4")
    shutil.copyfile(bikes, media / bikes.name)
    recorded_speech()[0].save(archive / "reading.wav")
    print("== models: fetched by the one-shot service", flush=True)
    pull = Container("models-0", services["models"], worker, work, work / "volumes", outside=True)
    pull.start()
    assert pull.wait(600) == 0, pull.text()
    print(textwrap.indent(pull.text().strip(), "   "), flush=True)
    print("== services, without a network", flush=True)
    (work / "trial.pickle").write_bytes(pickle.dumps((services, images)))
    command = ["unshare", "--net", "--mount", sys.executable, "-m", "tests.image.trial", str(work)]
    assert subprocess.run(command, cwd=PROJECT).returncode == 0, "the trial failed, see above"


def compose(work: Path) -> dict[str, Any]:
    """The services of docker-compose.yml with .env.example, as Compose itself resolves them."""
    env = (PROJECT / ".env.example").read_text(encoding="utf-8")
    env = env.replace("=1000\n", f"={OWNER}\n").replace("PASSWORD=\n", "PASSWORD=of-the-trial\n")
    (work / "env").write_text(f"{env}\nMEDIA_DIR_2={ARCHIVE}\n", encoding="utf-8")
    command = ["docker-compose", "--file", str(PROJECT / "docker-compose.yml")]
    command += ["--env-file", str(work / "env"), "config", "--format", "json"]
    resolved = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(resolved)["services"])


if __name__ == "__main__":
    sys.exit(main())
