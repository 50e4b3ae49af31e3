"""The docs site at /docs/: static files with the console's headers, or how to build it."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from api.docs.pages import site_routes
from api.http.connections import PageHeaders
from shared.settings import Settings


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A built site beside a file that is not part of it."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "site"
    (folder / "start").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Rushes</h1>")
    (folder / "start" / "first-day.html").write_text("<h1>First day</h1>")
    return folder


def client_of(site: Path, **environ: str) -> TestClient:
    app = Starlette(routes=site_routes(Settings.from_env(environ), site))
    return TestClient(PageHeaders(app), "http://localhost", follow_redirects=False)


def test_pages_are_served_without_a_key_and_run_nothing_but_our_own_files(site: Path) -> None:
    client = client_of(site)
    for path, text in (("/docs/", "Rushes"), ("/docs/start/first-day.html", "First day")):
        answer = client.get(path)
        assert answer.status_code == 200
        assert text in answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        known = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert known.status_code == 304
        assert client.head(path).status_code == 200


def test_the_address_without_a_slash_leads_to_the_site_also_below_a_path(site: Path) -> None:
    assert client_of(site).get("/docs").headers["location"] == "/docs/"
    below = client_of(site, RUSHES_PUBLIC_URL="https://studio.example/rushes")
    assert below.get("/docs").headers["location"] == "/rushes/docs/"


@pytest.mark.parametrize(
    "path", ["gone.html", "start", "start/", "../secret.txt", "%2e%2e/secret.txt", "%2fetc%2fhosts",
             "..%2fsecret.txt", "%00", "a" * 300, "link.txt"],
)  # fmt: skip
def test_no_path_leads_out_of_the_site(site: Path, path: str) -> None:
    (site / "link.txt").symlink_to(site.parent / "secret.txt")
    answer = client_of(site).get(f"/docs/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert "content-security-policy" in answer.headers or "docs" not in answer.request.url.path


def test_a_server_without_the_site_says_how_to_build_it(tmp_path: Path) -> None:
    client = client_of(tmp_path / "none", RUSHES_PUBLIC_URL="https://studio.example/rushes")
    for path in ("/docs/", "/docs/start/first-day.html"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/plain")
        assert "Run scripts/docs" in answer.text
        assert "/rushes/api/v1/docs" in answer.text


def test_a_site_that_is_built_later_is_served_at_once(site: Path) -> None:
    built = site.rename(site.parent / "work")
    client = client_of(site)
    assert client.get("/docs/").status_code == 404
    built.rename(site)
    assert client.get("/docs/").status_code == 200
