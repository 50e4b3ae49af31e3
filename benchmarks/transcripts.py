"""Transcript search over 1,000 hours against a plain scan and SQLite's FTS5 with trigrams.

    python -m benchmarks.transcripts [HOURS]
    python -m benchmarks.transcripts meaning [HOURS]

An hour has 2 files of 300 segments in nine languages, sentences of Python's own manual and
shuffled ones. 50 matches. Prints medians of interleaved rounds and the ratio to ours, the time to
build each index and what it takes. Ours is the whole search: catalogue, order, deleted artefacts,
paths. The plain scan folds the case of every segment on the way and stops at 50 matches, as FTS5
does; both see single segments only, and FTS5 finds nothing shorter than three letters.

`meaning`: search by what is meant, of 900 segments an hour with made-up rows, of which one in a
hundred is like the query.
"""

from __future__ import annotations

import pydoc_data.topics
import random
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import stringzilla

from api.cache.caches import Caches
from api.search.frames.index import SearchIndex
from api.search.transcripts.query import FileChoice, Mode, SpokenQuery
from api.search.transcripts.text import fold
from api.search.types import VectorArray
from benchmarks import describe
from shared.cache import sentence_rows
from shared.cache.cache_dir import CacheDir
from shared.cache.transcripts import Segment, Transcript, Word
from shared.domain import Stage
from shared.models.sentence_model import DIM, ROWS
from shared.settings import Settings

MODEL, MATCHES, ROUNDS, SEGMENTS = "benchmark", 50, 9, 300
MEANT = 450  # segments of a file, for search by meaning
SHUFFLED = {
    "de": "Wir haben gestern Abend noch einmal über den Vertrag gesprochen und am Ende war niemand "
    "wirklich zufrieden mit dem was auf dem Tisch lag weil größere Maßnahmen nötig wurden",
    "fr": "Je ne sais pas si vous avez déjà vu cette maison où les enfants jouaient l'été dernier "
    "mais elle était bien plus grande qu'on ne le pensait après le déjeuner avec ma sœur",
    "es": "El año pasado la señora nos contó que había vivido en una casa pequeña cerca del río "
    "donde las mañanas eran frías y los niños corrían detrás de los perros ¿quién sabe qué pasó?",
    "ru": "Вчера вечером мы долго говорили о том что произошло на вокзале и никто не мог вспомнить "
    "кто первым открыл дверь погода была плохая поэтому дети остались дома и смотрели фильм",
    "zh": "今天 的 天气 非常 好 我们 一起 去 公园 散步 吧 他 说 这个 问题 很 难 回答 "
    "但是 每个人 都 知道",
    "ja": "きのう は とても 寒かった ので 家 に いました 電車 が 遅れて 会議 に "
    "間に合わなかった と 言いました",
    "ar": "قال الرجل إن السيارة كانت تقف أمام البيت القديم منذ الصباح ولم يعرف أحد من أين جاءت",
    "hi": "कल शाम को हम सब लोग बाज़ार गए थे और वहाँ बहुत भीड़ थी लेकिन बच्चे बहुत खुश थे",
}
QUERIES = {
    "one common letter": "e",
    "common word": "the object",
    "rare word": "quux",
    "absent phrase": "there is nothing like that",
    "absent, Russian": "погода была хорошая",
    "absent, Chinese": "天气不好",
}


def files(hours: int) -> Iterator[list[str]]:
    """The segments of each file."""
    picks = random.Random(1)
    english = re.findall(r"[A-Za-z][a-z']+[,.]?", " ".join(pydoc_data.topics.topics.values()))
    words = {language: text.split() for language, text in SHUFFLED.items()}
    languages = ["en"] * 5 + list(words)
    for number in range(2 * hours):
        language = languages[number % len(languages)]
        segments = []
        for _ in range(SEGMENTS):
            count = picks.randint(4, 18)
            at = picks.randrange(len(english) - count)
            if language == "en":
                chosen = english[at : at + count]
            else:
                chosen = picks.choices(words[language], k=count)
            segments.append(("" if language in ("zh", "ja") else " ").join(chosen).capitalize())
        yield segments


def publish(cache: CacheDir, number: int, texts: list[str]) -> None:
    segments = []
    for n, text in enumerate(texts):
        words = text.split()
        at = [6.0 * n + 6.0 * k / len(words) for k in range(len(words) + 1)]
        said = tuple(Word(at[k], at[k + 1], word, 0.9) for k, word in enumerate(words))
        segments.append(Segment(start=6.0 * n, end=6.0 * n + 6, text=text, words=said))
    found = transcript_of(tuple(segments))
    with cache.draft(f"{number:016x}", Stage.TRANSCRIPT, MODEL, "json", "bench") as draft:
        draft.file.write(msgspec.json.encode(found))
        draft.publish(rows=len(texts))


def measure_meaning(hours: int, folder: Path) -> None:
    cache = CacheDir.open(folder / "cache", create=True)
    random_rows = np.random.default_rng(1).standard_normal((MEANT + 1, DIM)).astype(np.float32)
    random_rows /= np.linalg.norm(random_rows, axis=1, keepdims=True)
    vector, rows = random_rows[0], random_rows[1:]
    rows[::100] = 0.5 * vector + 0.8 * rows[::100]
    rows *= np.float32(0.9)  # as the mean of a segment's row and its neighbours' is shorter than 1
    texts = [" ".join(some) for some in files(1)]
    said = tuple(
        Segment(start=4.0 * n, end=4.0 * n + 4, text=texts[0][10 * n : 10 * n + 60])
        for n in range(MEANT)
    )
    for number in range(2 * hours):
        publish_meant(cache, number, said, np.roll(rows, number, axis=0).astype(np.float16))
    settings = Settings(state_dir=folder / "state")
    caches = Caches(settings)
    index = SearchIndex(settings.state_dir, caches)
    took, _ = timed(lambda: ours(index, cache, "quux"))
    before = resident_mb()
    first, _ = timed(lambda: ours(index, cache, "x", mode="semantic", vector=vector))
    more = resident_mb() - before
    print(f"{hours} h, {2 * hours * MEANT} segments: read in {took:.1f} s; codes in {first:.2f} s")
    print(f"  {more:.0f} MB more resident")
    some = [f"{number:016x}" for number in range(hours // 50)]
    own = {
        "by meaning": lambda: ours(index, cache, "x", mode="semantic", vector=vector),
        "by meaning, 1 % of the files": lambda: ours(
            index, cache, "x", some, mode="semantic", vector=vector
        ),
        "auto, a phrase that nobody says": lambda: ours(
            index, cache, "zebra crossing ahead", mode="auto", vector=vector
        ),
    }
    for name, median in medians(own).items():
        print(f"  {name:32} {median:8.1f} ms, {len(own[name]())} matches")
    index.close()
    caches.close()


def transcript_of(said: tuple[Segment, ...]) -> Transcript:
    length = said[-1].end
    return Transcript(
        model=MODEL,
        language="en",
        language_probability=None,
        duration_seconds=length,
        speech_seconds=length,
        audio_streams="mix",
        segments=said,
    )


def publish_meant(
    cache: CacheDir, number: int, said: tuple[Segment, ...], rows: sentence_rows.Rows
) -> None:
    found = transcript_of(said)
    hash_str = f"{number:016x}"
    with cache.draft(hash_str, Stage.TRANSCRIPT, MODEL, "json", "bench", has_pack=True) as draft:
        draft.file.write(msgspec.json.encode(found))
        assert draft.pack
        sentence_rows.write(draft.pack, rows)
        draft.publish(rows=len(said), language="en", sentence_model=ROWS)


def fts5(corpus: list[list[str]], path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute("CREATE VIRTUAL TABLE said USING fts5(text, tokenize='trigram')")
    database.executemany(
        "INSERT INTO said VALUES (?)", ((text,) for texts in corpus for text in texts)
    )
    database.commit()
    return database


def plain(corpus: list[list[str]], query: str) -> list[tuple[int, int]]:
    found = []
    for number, texts in enumerate(corpus):
        for n, text in enumerate(texts):
            if query in text.casefold():
                found.append((number, n))
                if len(found) == MATCHES:
                    return found
    return found


def timed(case: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = case()
    return time.perf_counter() - started, found


def medians(cases: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for round_ in range(ROUNDS + 1):
        for name, case in cases.items():
            took, _ = timed(case)
            if round_:  # the first one warms up
                times[name].append(took * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def measure(hours: int, folder: Path) -> None:
    cache = CacheDir.open(folder / "cache", create=True)
    for number, texts in enumerate(files(hours)):
        publish(cache, number, texts)
    settings = Settings(state_dir=folder / "state")
    before = resident_mb()
    first_caches = Caches(settings)
    first = SearchIndex(settings.state_dir, first_caches)
    took, _ = timed(lambda: first.load(first_caches.open(str(cache.root), thorough=True)))
    print(f"{hours} h: built in {took:.1f} s, {resident_mb() - before:.0f} MB more resident")
    first.close()
    first_caches.close()
    caches = Caches(settings)
    index = SearchIndex(settings.state_dir, caches)
    print(f"after a restart: first search {timed(lambda: ours(index, cache, 'quux'))[0]:.2f} s")
    log = next(folder.glob("state/transcripts/*/*.log"))
    corpus = list(files(hours))
    text_mb = sum(len(text.encode()) for texts in corpus for text in texts) / 1e6
    print(f"text {text_mb:.0f} MB, our log {log.stat().st_size / 1e6:.0f} MB")
    built, database = timed(lambda: fts5(corpus, folder / "fts5.db"))
    size = (folder / "fts5.db").stat().st_size / 1e6
    print(f"FTS5: built in {built:.1f} s, {size:.0f} MB")
    across = " ".join(corpus[1][-2:][0].split()[-2:] + corpus[1][-1].split()[:2])
    for name, query in {**QUERIES, "phrase across a border": across}.items():
        report(name, query, index, cache, corpus, database)
    scans(corpus)
    some = [f"{number:016x}" for number in range(len(corpus) // 100)]
    own = {
        "absent phrase, 1 % of the files": lambda: ours(
            index, cache, QUERIES["absent phrase"], some
        ),
        "fuzzy, a word with a typo": lambda: ours(index, cache, "dictionery", mode="fuzzy"),
        "fuzzy, absent phrase": lambda: ours(index, cache, "zebra crossing ahead", mode="fuzzy"),
        "fuzzy, absent short word": lambda: ours(index, cache, "wrzlq", mode="fuzzy"),
        "fuzzy, absent, Russian": lambda: ours(index, cache, "хорошая квартира", mode="fuzzy"),
    }
    for name, median in medians(own).items():
        print(f"  {name:32} {median:8.1f} ms, {len(own[name]())} matches")
    index.close()
    caches.close()
    database.close()


def ours(
    index: SearchIndex,
    cache: CacheDir,
    query: str,
    hashes: list[str] | None = None,
    mode: Mode = "substring",
    vector: VectorArray | None = None,
) -> list[Any]:
    asked = SpokenQuery(fold(query), MODEL, mode, max_results=MATCHES, vector=vector)
    return index.transcripts.search(index.caches.open(str(cache.root)), asked, FileChoice(hashes))


def scans(corpus: list[list[str]]) -> None:
    """What only looking through all text costs."""
    texts = [" ".join(fold(text) for text in texts).encode() for texts in corpus]
    query = QUERIES["absent phrase"].encode()
    found = medians(
        {
            "bytes.find": lambda: [text.find(query) for text in texts],
            "stringzilla": lambda: [stringzilla.find(text, query) for text in texts],
        }
    )
    print("  scan only: " + ", ".join(f"{name} {median:.1f} ms" for name, median in found.items()))


def report(
    name: str,
    query: str,
    index: SearchIndex,
    cache: CacheDir,
    corpus: list[list[str]],
    database: sqlite3.Connection,
) -> None:
    folded = query.casefold()
    match = "SELECT rowid FROM said WHERE said MATCH ? ORDER BY rowid LIMIT ?"
    cases: dict[str, Callable[[], Any]] = {
        "ours": lambda: ours(index, cache, query),
        "plain": lambda: plain(corpus, folded),
        "fts5": lambda: database.execute(match, (f'"{query}"', MATCHES)).fetchall(),
    }
    found = medians(cases)
    counts = {peer: len(case()) for peer, case in cases.items()}
    print(
        f"  {name:32}"
        + "".join(
            f" {peer} {median:7.1f} ms ({median / found['ours']:5.2f} x, {counts[peer]:2})"
            for peer, median in found.items()
        )
    )


def main() -> None:
    print(describe())
    asked = sys.argv[1:]
    of_meaning = asked[:1] == ["meaning"]
    hours = int(next(iter(asked[of_meaning:]), "1000"))
    with tempfile.TemporaryDirectory() as folder:
        (measure_meaning if of_meaning else measure)(hours, Path(folder))


if __name__ == "__main__":
    main()
