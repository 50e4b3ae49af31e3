"""Containers of services without an engine: chroots with their own mounts, host name and user."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.image.build import OUTSIDE, Image
from tests.support.waiting import wait_for

_HOSTS = "127.0.0.1 localhost redis api\n"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_START_S = 900  # at most, where no weights are to be fetched


@dataclass
class Container:
    """One service of a resolved compose file, in a folder of its own below `work`.

    `outside`: names of the certificates and variables with which this machine reaches a network.
    """

    name: str
    service: Mapping[str, Any]
    image: Image
    work: Path
    volumes: Path
    outside: bool = False
    popen: subprocess.Popen[bytes] | None = None
    begun: float = field(default_factory=time.monotonic)

    @property
    def place(self) -> Path:
        return self.work / "containers" / self.name

    @property
    def log(self) -> Path:
        return self.work / "logs" / f"{self.name}.log"

    def start(self) -> None:
        """The process itself: what is done before it is done by a shell that becomes it."""
        self.place.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        script = "\n".join(["set -e", *self._mounts(), f"exec {shlex.join(self._inside())}"])
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                ["unshare", "--mount", "--uts", "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _mounts(self) -> list[str]:
        root, place = self.image.root, self.place
        binds = [
            (str(self._source(volume)), volume["target"], volume.get("read_only", False))
            for volume in self.service.get("volumes", ())
        ]
        binds.sort(key=lambda bind: bind[1].count("/"))  # one may lie in another, as engines know
        hosts = self.work / "hosts"
        hosts.write_text(_HOSTS, encoding="utf-8")
        (root / "etc/hosts").touch()
        for _, target, _ in binds:
            (root / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
        steps = [f"hostname {self.name}", f"mount --bind {root} {place}"]
        if self.service.get("read_only"):
            steps.append(f"mount -o remount,bind,ro {place}")
        steps += [f"mount --rbind /proc {place}/proc", f"mount --rbind /dev {place}/dev"]
        for target in self.service.get("tmpfs", ()):
            steps.append(f"mount -t tmpfs -o noexec,nosuid,nodev tmpfs {place}{target}")
        steps.append(f"mount --bind {hosts} {place}/etc/hosts")
        for source, target, read_only in binds:
            steps.append(f"mount --bind {source} {place}{target}")
            if read_only:
                steps.append(f"mount -o remount,bind,ro {place}{target}")
        certificates = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
        if self.outside:
            steps.append(f"mount --bind /etc/resolv.conf {place}/etc/resolv.conf")
            if certificates:
                steps.append(f"install -m 644 {certificates} {place}/tmp/outside.pem")
        return steps

    def _source(self, volume: Mapping[str, Any]) -> Path:
        """A named volume gets the owner of the folder of the image, as engines do."""
        source = self.volumes / volume["source"].lstrip("/")
        if volume["type"] == "volume" and not source.exists():
            owner = (self.image.root / volume["target"].lstrip("/")).stat()
            source.mkdir(parents=True)
            os.chown(source, owner.st_uid, owner.st_gid)
        assert source.is_dir(), f"{self.name}: {volume['source']} is not there"
        return source

    def _inside(self, command: Sequence[str] | None = None) -> list[str]:
        """The words that run a command in it; without one, its own."""
        given = [word.replace("$$", "$") for word in self.service.get("command") or ()]
        entrypoint = json.loads(self.image.entrypoint)
        words = list(command) if command else entrypoint + (given or json.loads(self.image.command))
        env = {**self.image.env, **{k: str(v) for k, v in self._environment().items()}}
        if self.outside:
            env |= {name: os.environ[name] for name in OUTSIDE if name in os.environ}
            env |= {"PIP_CERT": "/tmp/outside.pem"} if os.environ.get("PIP_CERT") else {}
        user, _, group = self.image.user.partition(":")
        drop = [f"--reuid={user}", f"--regid={group}", "--clear-groups"]
        if "no-new-privileges:true" in self.service.get("security_opt", ()):
            drop.append("--no-new-privs")
        if self.service.get("cap_drop") == ["ALL"]:
            drop += ["--inh-caps=-all", "--bounding-set=-all"]
        variables = [f"{name}={value}" for name, value in env.items()]
        start = ["sh", "-c", f'cd {self.image.workdir} && exec "$@"', "sh", *words]
        return ["chroot", str(self.place), "env", "-i", *variables, "setpriv", *drop, *start]

    def _environment(self) -> Mapping[str, Any]:
        return dict(self.service.get("environment") or {})

    def execute(self, *command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """A command beside its process, as `docker compose exec` does."""
        assert self.popen is not None
        enter = ["nsenter", f"--target={self.popen.pid}", "--mount", "--uts"]
        return subprocess.run(
            [*enter, *self._inside(command)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s,
        )  # fmt: skip

    def check(self) -> subprocess.CompletedProcess[str]:
        """Its health check, once, within its own time limit."""
        health = self.service["healthcheck"]
        kind, *words = health["test"]
        command = ["/bin/sh", "-c", words[0]] if kind == "CMD-SHELL" else words
        return self.execute(*command, timeout_s=seconds(health["timeout"]))

    def wait_healthy(self) -> None:
        """Within the time that the check's start period and retries leave."""
        health = self.service["healthcheck"]
        start = min(seconds(health["start_period"]), _START_S)
        limit = start + health["retries"] * seconds(health["interval"])

        def healthy() -> bool:
            assert self.popen is not None
            assert self.popen.poll() is None, f"{self.name} has ended:\n{self.text()}"
            return self.check().returncode == 0

        wait_for(healthy, limit, lambda: f"{self.name}'s health:\n{self.text()}", every_s=0.3)
        print(f"   {self.name}: healthy after {time.monotonic() - self.begun:.1f} s", flush=True)

    def wait(self, timeout_s: float) -> int:
        assert self.popen is not None
        return self.popen.wait(timeout_s)

    def stop(self) -> float:
        """SIGTERM; the seconds until it has ended, which must be fewer than its grace period."""
        assert self.popen is not None
        began = time.monotonic()
        self.popen.terminate()
        limit = seconds(self.service.get("stop_grace_period", "10s"))
        status = self.popen.wait(limit)
        assert status == 0, f"{self.name} ended with {status}:\n{self.text()}"
        return time.monotonic() - began

    def text(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def seconds(text: str) -> float:
    """`1m30s` as compose writes it."""
    total, number = 0.0, ""
    for char in text.replace("ms", "M"):
        if char.isdigit() or char == ".":
            number += char
        else:
            total += float(number) * _UNITS["ms" if char == "M" else char]
            number = ""
    return total
