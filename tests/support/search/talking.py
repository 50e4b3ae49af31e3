"""Files in which people talk, told apart and grouped, as a worker would leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.cache.cache_dir import CacheDir
from shared.cache.speakers import Speaker, SpeakerTurn, SpeakerTurns
from shared.cache.transcripts import Segment
from shared.domain import Manifest
from shared.people.collection import Collection
from tests.support.people.voice_groupings import MODEL, voice_grouping
from tests.support.search.transcribed import publish, publish_speakers, spoken

Said = tuple[int, float, str, float]  # speaker, start, text, end


def say(
    cache: CacheDir,
    hash_str: str,
    *said: Said,
    ids: Sequence[int] = (),
    doubtful: Sequence[int] = (),
    warnings: tuple[str, ...] = (),
) -> Manifest:
    """Transcribe a file and tell its speakers apart; the manifest of who speaks.

    `ids`: of the voices of S1, S2 and so on; `doubtful`: numbers of what may be said by others;
    `warnings`: of the whole file.
    """
    segments: tuple[Segment, ...] = tuple(spoken(start, text, end) for _, start, text, end in said)
    publish(cache, hash_str, segments)
    count = max([len(ids), *(speaker + 1 for speaker, *_ in said)])
    seconds = [
        sum(end - start for who, start, _, end in said if who == n) for n in range(count)
    ]  # fmt: skip
    numbers = [*ids, *[0] * (count - len(ids))]
    return publish_speakers(
        cache,
        hash_str,
        SpeakerTurns(
            model=MODEL,
            speakers=tuple(Speaker(s, (), id_) for s, id_ in zip(seconds, numbers, strict=True)),
            turns=tuple(
                SpeakerTurn(start, end, who, n in doubtful)
                for n, (who, start, _, end) in enumerate(said)
            ),
            warnings=warnings,
        ),
    )


def talk(
    cache: CacheDir, collection: str, files: Mapping[str, tuple[Sequence[Said], tuple[int, int]]]
) -> None:
    """Two people talk in each of some files, by hash_str: what, and which clusters they are of."""
    hashes = sorted(files)
    for number, hash_str in enumerate(hashes):
        say(cache, hash_str, *files[hash_str][0], ids=(2 * number + 1, 2 * number + 2))
    labels = [label for hash_str in hashes for label in files[hash_str][1]]
    opened = Collection.open(cache.root, collection, create=True)
    opened.voice_files.publish(voice_grouping(labels, media=hashes))
