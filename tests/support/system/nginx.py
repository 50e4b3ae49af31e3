"""A real nginx that serves files of deploy/nginx as they are, in the namespace it is started in."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.skip_or_fail import skip_or_fail
from tests.support.stack import PROJECT

SHIPPED = PROJECT / "deploy" / "nginx" / "rushes.conf"
BELOW_A_PATH = SHIPPED.with_name("rushes-subpath.conf")
_UNPACKED = PROJECT / ".rushes" / "tools" / "nginx" / "usr" / "sbin" / "nginx"  # scripts/setup
_PLACES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Nginx:
    """Its folder stands for /etc/nginx. `hosts`: its /etc/hosts, if it is its own."""

    folder: Path
    hosts: str = ""

    @classmethod
    def prepare(
        cls, folder: Path, address: str, *, shipped: Path = SHIPPED, hosts: str = ""
    ) -> Nginx:
        """The shipped file among what nginx's own set-up brings, and a certificate of `address`."""
        folder.mkdir()
        (folder / "nginx.conf").write_text(_main(folder, shipped), encoding="utf-8")
        (folder / "hosts").write_text(hosts, encoding="utf-8")
        (folder / "rushes").mkdir()
        made = Nginx(folder, hosts)
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        words += ["-nodes", "-days", "2", "-subj", "/CN=rushes.example"]
        words += ["-addext", f"subjectAltName=IP:{address}"]
        words += ["-keyout", str(folder / "rushes" / "privkey.pem"), "-out", made.certificate]
        subprocess.run(words, check=True, capture_output=True)
        return made

    @property
    def certificate(self) -> str:
        return str(self.folder / "rushes" / "fullchain.pem")

    def trust(self) -> ssl.SSLContext:
        """For clients."""
        return ssl.create_default_context(cafile=self.certificate)

    def check(self) -> str:
        """What `nginx -t` says, which must be content."""
        done = subprocess.run([*self._command(), "-t"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        with subprocess.Popen([*self._command(), "-g", "daemon off;"]) as process:
            try:
                yield
            finally:
                process.terminate()

    def requests(self) -> list[tuple[str, str, str]]:
        """What it has logged: the client's address, the API process's, and the path."""
        lines = (self.folder / "access.log").read_text(encoding="utf-8").splitlines()
        return [(client, upstream, path) for client, upstream, path in map(str.split, lines)]

    def _command(self) -> list[str]:
        found = shutil.which("nginx") or str(_UNPACKED)
        if not Path(found).exists():
            skip_or_fail("nginx is missing: run `scripts/setup tools`")
        folder = str(self.folder)
        command = [found, "-e", "stderr", "-p", folder, "-c", f"{folder}/nginx.conf"]
        if not self.hosts:
            return command
        own_hosts = 'mount --bind "$0" /etc/hosts; exec "$@"'
        return ["unshare", "--mount", "sh", "-e", "-c", own_hosts, f"{folder}/hosts", *command]


def _main(folder: Path, shipped: Path) -> str:
    places = "\n".join(f"    {name}_temp_path {folder}/{name};" for name in _PLACES)
    return f"""
user root;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
{places}
    log_format who '$remote_addr $upstream_addr $uri';
    access_log {folder}/access.log who;
    include {shipped};
}}
"""
