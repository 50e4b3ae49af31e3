"""The console in a real Chromium: what it weighs, how soon it answers, what Lighthouse says.

    scripts/bench console

A small shoot is analyzed, and a folder with 5,000 scenes is made up. Prints the bytes of the first
view; the time from the last key typed to the first picture (words that are new to the server), and
from opening a hit to its picture, in an original and in a preview that is not made yet; tasks of
more than 50 ms while a wheel goes down 5,000 hits; and the points that Lighthouse gives to a search
with hits. Needs Debian's Chromium, ffmpeg, node and npm.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser

from benchmarks import describe
from benchmarks.console import lighthouse, watching
from tests.support.console.chromium import Window, chromium, driver, window
from tests.support.console.editor import Editor
from tests.support.console.footage import Shoot, make_shoot
from tests.support.console.many_scenes import SCENES, many_scenes
from tests.support.console.weight import FILES, first_view
from tests.support.media.photos import known_photos
from tests.support.private_redis import private_redis
from tests.support.stack import KEY, running_stack


@dataclass(frozen=True)
class _Served:
    """What a server has to show."""

    url: str
    shoot: Shoot
    cache_dir: Path  # with the shoot
    many: Path  # the cache folder with 5,000 scenes


def told(what: str, times: list[float]) -> None:
    middle, most = statistics.median(times), max(times)
    print(f"{what:44} median {middle:6.0f} ms  most {most:6.0f} ms  of {len(times)}", flush=True)


def measure(served: _Served, browser: Browser) -> None:
    with window(browser) as opened:
        editor = Editor(opened.page, served.url)
        editor.sign_in(KEY)
        weights = first_view(editor)
        of_files = sum(weights[kind] for kind in FILES)
        print(f"first view: {of_files:,} bytes of files, {sum(weights.values()):,} with all data")
        cache_dir, shoot = served.cache_dir, served.shoot
        told("last key to first picture", watching.typing_ms(editor, cache_dir))
        watching.opening_ms(opened.page, cache_dir, shoot.kitchen, range(1))  # loads the player
        originals = watching.opening_ms(opened.page, cache_dir, shoot.kitchen, range(10))
        told("hit to picture, original (H.264)", originals)
        new = watching.opening_ms(opened.page, cache_dir, shoot.numbered, range(0, 20, 4))
        told("hit to picture, preview made then (ProRes)", new)
        made = watching.opening_ms(opened.page, cache_dir, shoot.numbered, range(0, 20, 4))
        told("hit to picture, preview that is there", made)
        like = served.many.parent / "Reel 00.mp4"
        tasks = watching.scrolling(editor, served.many, like, SCENES)
        print(f"{SCENES:,} hits by wheel: at most {tasks['cards']:.0f} cards are drawn, ", end="")
        print(f"{tasks['tasks']:.0f} tasks of over 50 ms, median {tasks['median']:.0f}, ", end="")
        print(f"longest {tasks['longest']:.0f} ms", flush=True)
        judge(served, opened)


def judge(served: _Served, opened: Window) -> None:
    cookies = [f"{one['name']}={one['value']}" for one in opened.context.cookies()]
    search = urlencode({"dir": served.cache_dir, "q": watching.WORDS[0]})
    for preset in lighthouse.PRESETS:
        url = f"{served.url}/#/search?{search}"
        points = lighthouse.lighthouse(url, "; ".join(cookies), preset)
        print(f"Lighthouse {lighthouse.VERSION}, {preset}: {points}", flush=True)


def main() -> None:
    lighthouse.install()
    print(describe())
    with (
        tempfile.TemporaryDirectory() as temporary,
        private_redis() as redis,
        running_stack(Path(temporary) / "stack", redis.url) as stack,
        driver() as playwright,
        chromium(playwright) as browser,
    ):
        folder = Path(temporary)
        (footage := folder / "shoot").mkdir()
        shoot = make_shoot(footage, known_photos())
        client, cache_dir = stack.client(), folder / "cache"
        client.analyzed(cache_dir, *shoot.films, shoot.numbered)
        served = _Served(client.url, shoot, cache_dir, many_scenes(folder / "many"))
        measure(served, browser)


if __name__ == "__main__":
    main()
