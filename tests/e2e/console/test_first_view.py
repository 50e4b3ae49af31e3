"""What a browser loads and runs at first: little, and nothing that is not ours."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.e2e.console.conftest import Library
from tests.support.console.chromium import window
from tests.support.console.editor import Editor
from tests.support.console.weight import FILES, first_view
from tests.support.stack import KEY


def test_the_first_view_weighs_at_most_150_kilobytes(editor: Editor, library: Library) -> None:
    weights = first_view(editor, f"#/search?dir={library.cache_dir}")
    assert set(FILES) <= set(weights)
    assert sum(weights.values()) <= 150_000


def test_the_page_runs_no_code_that_is_not_its_own(browser: Browser, library: Library) -> None:
    with window(browser) as opened:
        somebody = Editor(opened.page, library.client.url)
        somebody.sign_in(KEY)
        opened.page.evaluate("""() => {
          window.broken = [];
          addEventListener('securitypolicyviolation', (event) => broken.push(event.blockedURI));
          const script = document.createElement('script');
          script.textContent = 'window.hasRun = true';
          document.body.append(script);
          const picture = new Image();
          picture.src = 'https://example.org/picture.png';
        }""")
        opened.page.wait_for_function("() => broken.length === 2")
        assert opened.page.evaluate("window.hasRun") is None
        assert opened.page.evaluate("broken") == ["inline", "https://example.org/picture.png"]
        assert len(opened.complaints) == 2  # so that no other test passes over one
