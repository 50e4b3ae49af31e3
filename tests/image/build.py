"""Executes the instructions of an image in a chroot of Debian that debootstrap made."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from tests.image.dockerfile import Instruction, Stage, assignments, put_in, read

PROJECT = Path(__file__).resolve().parents[2]
# What this machine needs to reach the network is needed in the chroot too, and is no part of it.
OUTSIDE = (
    "PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_DEFAULT_TIMEOUT HTTP_PROXY HTTPS_PROXY NO_PROXY "
    "http_proxy https_proxy no_proxy"
).split()
_CERTIFICATES = "/etc/ssl/outside.pem"


@dataclass(frozen=True)
class Image:
    """A folder that is the root of a file system, and what a container of it is started with."""

    root: Path
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = "0:0"
    workdir: str = "/"
    entrypoint: str = "[]"
    command: str = "[]"
    healthcheck: str = ""


@dataclass
class Builder:
    """Builds stages into `work`, each once. `base` stands for debian:trixie-slim."""

    work: Path
    base: Path
    arguments: Mapping[str, str]
    built: dict[tuple[str, str], Image] = field(default_factory=dict)

    def image(self, dockerfile: Path, target: str) -> Image:
        """The image of one target, with every stage that it needs."""
        stages = read(dockerfile)
        return self._stage(dockerfile.stem, stages, target)

    def _stage(self, file: str, stages: Mapping[str, Stage], name: str) -> Image:
        if (file, name) in self.built:
            return self.built[file, name]
        stage = stages[name]
        if stage.base in stages:
            image = self._stage(file, stages, stage.base)
        else:
            assert stage.base == "debian:trixie-slim", f"{stage.base} is no image made here"
            image = Image(self.base, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        root = self.work / f"{file}-{name}"
        print(f"== {file}: stage {name} from {stage.base}", flush=True)
        copy_tree(image.root, root)
        image = replace(image, root=root)
        arguments: dict[str, str] = {}
        for instruction in stage.instructions:
            if instruction.word == "ARG":
                for key, value in assignments(instruction.rest).items():
                    arguments[key] = self.arguments.get(key, value)
                continue
            image = self._execute(file, stages, image, instruction, arguments)
        self.built[file, name] = image
        return image

    def _execute(
        self,
        file: str,
        stages: Mapping[str, Stage],
        image: Image,
        instruction: Instruction,
        arguments: Mapping[str, str],
    ) -> Image:
        known = {**arguments, **image.env}
        word, rest = instruction.word, instruction.rest
        if word == "RUN":
            print(f"   RUN {rest[:110]}", flush=True)
            run_in(image, rest, known)
        elif word == "COPY":
            self._copy(file, stages, image, put_in(rest, known).split())
        elif word == "ENV":
            return replace(image, env={**image.env, **assignments(put_in(rest, known))})
        elif word == "USER":
            return replace(image, user=put_in(rest, known))
        elif word == "WORKDIR":
            (image.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            return replace(image, workdir=rest)
        elif word == "ENTRYPOINT":
            return replace(image, entrypoint=rest, command="[]")
        elif word == "CMD":
            return replace(image, command=rest)
        elif word == "HEALTHCHECK":
            return replace(image, healthcheck=rest.partition("CMD ")[2])
        return image

    def _copy(self, file: str, stages: Mapping[str, Stage], image: Image, names: list[str]) -> None:
        source = PROJECT
        stage = None
        if names[0].startswith("--from="):
            stage = names.pop(0).partition("=")[2]
            source = self._stage(file, stages, stage).root
        *sources, target = names
        folder = image.root / str(PurePosixPath(image.workdir) / target).lstrip("/")
        for name in sources:
            origin = source / name.lstrip("/")
            if origin.is_dir():
                copy_tree(origin, folder, ignore=None if stage else ignored)
            else:
                assert not ignored(name), f"COPY {name}: .dockerignore leaves it out"
                place = folder / origin.name if target.endswith("/") else folder
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(origin, place)


def ignored(name: str) -> bool:
    """Whether .dockerignore leaves out a path of the project: the last rule that fits decides."""
    result = False
    for line in (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        path = PurePosixPath(name)
        parents = [str(path), *map(str, path.parents)]
        if any(_fits(parent, pattern) for parent in parents):
            result = not line.startswith("!")
    return result


def _fits(name: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(PurePosixPath(name).name, pattern[3:])
    return ("/" not in name.removesuffix("/") and pattern == "*") or name == pattern


def copy_tree(origin: Path, folder: Path, ignore: object = None) -> None:
    """A copy with owners, links and times; `ignore` says of each path of the project whether."""
    if ignore is None:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", f"{origin}/.", str(folder)], check=True)
        return
    for path in sorted(origin.rglob("*")):
        name = str(path.relative_to(PROJECT))
        if path.is_file() and not ignored(name):
            place = folder / path.relative_to(origin)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)


def run_in(image: Image, script: str, env: Mapping[str, str]) -> None:
    """One RUN: `/bin/sh -c` as the image's user, with the network of this machine."""
    outside = {name: os.environ[name] for name in OUTSIDE if name in os.environ}
    with _network(image.root) as certificates:
        if certificates:
            outside |= {"PIP_CERT": _CERTIFICATES, "SSL_CERT_FILE": _CERTIFICATES}
        variables = [f"{name}={value}" for name, value in {**env, **outside}.items()]
        command = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={image.root}/proc"]
        command += ["chroot", f"--userspec={image.user}", str(image.root)]
        command += ["env", "-i", *variables, "DEBIAN_FRONTEND=noninteractive"]
        command += ["/bin/sh", "-c", f"cd {image.workdir} && {script}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"RUN ended with {done.returncode}:\n{done.stdout[-3000:]}"


@contextmanager
def _network(root: Path) -> Iterator[bool]:
    """Names and, where this machine has its own, certificates: as the builder lends them."""
    resolv = root / "etc/resolv.conf"
    before = resolv.read_bytes() if resolv.exists() else b""
    certificates = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    shutil.copyfile("/etc/resolv.conf", resolv)
    place = root / _CERTIFICATES.lstrip("/")
    if certificates:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(certificates, place)
    try:
        yield bool(certificates)
    finally:
        resolv.write_bytes(before)
        place.unlink(missing_ok=True)
