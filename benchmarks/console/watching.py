"""What is measured inside of the page: by its own clock, from its own events."""

from __future__ import annotations

import statistics
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from tests.support.console.editor import Editor

WORDS = (
    "a cup of coffee",
    "a cat",
    "a rocket",
    "an astronaut",
    "a flower",
    "coffee on a table",
    "the face of a cat",
    "the launch of a rocket",
    "somebody in a space suit",
    "petals",
)
_TYPING_MS = 60  # between keys, so that searches of half a word are on the way
# Notes when the last key was typed, and when the first picture of what was found was there. What
# was found for half of the words may have had the same picture: the address says what is asked.
_WATCH_TYPING = """() => {
  window.typed = { key: 0, picture: 0 };
  const box = document.getElementById('search-words');
  box.addEventListener('input', () => (typed = { key: performance.now(), picture: 0 }));
  const look = () => {
    const asked = new URLSearchParams(location.hash.split('?')[1]).get('q');
    const picture = document.querySelector('.wall:not(.old) .shot img');
    if (!typed.picture && asked === box.value && picture?.complete) {
      typed.picture = performance.now();
    }
    requestAnimationFrame(look);
  };
  look();
}"""
# From the address to a picture of the video.
_OPEN = """async (address) => {
  const began = performance.now();
  location.hash = address;
  for (;;) {
    await new Promise(requestAnimationFrame);
    const video = document.querySelector('video');
    if (video?.readyState >= 2 && !video.seeking) return performance.now() - began;
    if (performance.now() - began > 20000) throw new Error(`${address} is not shown`);
  }
}"""
_WATCH_TASKS = """() => {
  window.tasks = [];
  const note = (list) => tasks.push(...list.getEntries().map(({ duration }) => duration));
  new PerformanceObserver(note).observe({ type: 'longtask' });
}"""
_LAST_PLACE = """() => Math.max(...[...document.querySelectorAll('.card')]
  .map(({ dataset }) => Number(dataset.place)))"""


def typing_ms(editor: Editor, cache_dir: Path) -> list[float]:
    """From the last key to the first picture, of words that nobody has searched for before."""
    page, times = editor.page, []
    editor.open(f"#/search?{urlencode({'dir': cache_dir, 'least': 'any'})}")
    page.evaluate(_WATCH_TYPING)
    for words in WORDS:
        editor.search("")
        expect(editor.hits).to_have_count(0)
        editor.box.press_sequentially(words, delay=_TYPING_MS)
        page.wait_for_function("() => typed.picture > 0")
        times.append(float(page.evaluate("typed.picture - typed.key")))
    return times


def opening_ms(page: Page, cache_dir: Path, path: Path, seconds: range) -> list[float]:
    """From a click to a picture of the video, at each of these seconds; the player is loaded."""
    times = []
    for second in seconds:
        params = {"dir": cache_dir, "play": path, "at": second, "from": second, "to": second + 2}
        times.append(float(page.evaluate(_OPEN, f"#/search?{urlencode(params)}")))
        page.keyboard.press("Escape")
        expect(page.locator("video")).to_have_count(0)
    return times


def scrolling(editor: Editor, cache_dir: Path, like: Path, scenes: int) -> dict[str, float]:
    """Down to the last of many hits by a wheel: cards drawn at most, tasks of more than 50 ms."""
    page = editor.page
    editor.open(f"#/search?{urlencode({'dir': cache_dir, 'like': like, 'second': 0})}")
    editor.wait_for_hit(like.name)
    page.evaluate(_WATCH_TASKS)
    editor.hits.first.hover()
    cards = 0
    while page.evaluate(_LAST_PLACE) < scenes - 1:
        page.mouse.wheel(0, 1200)
        page.evaluate("() => new Promise(requestAnimationFrame)")
        cards = max(cards, editor.hits.count())
    tasks = page.evaluate("tasks")
    median = statistics.median(tasks or [0])
    return {"cards": cards, "tasks": len(tasks), "median": median, "longest": max(tasks, default=0)}
