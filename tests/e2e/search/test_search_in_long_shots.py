"""A locked-off shot has more than one hit; and exclude softens over twenty scenes."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from PIL import Image

from tests.support.media.media import picture_video, write_video
from tests.support.running.long_form import by_form
from tests.support.stack import Stack

EACH_S = by_form(short=60, long=150)  # four of them are the shot
SUBJECTS = [(name, n * EACH_S) for n, name in enumerate(("cat", "coffee", "rocket", "flower"))]
DISSOLVE_S = 24


@pytest.fixture(scope="module")
def long_take(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Path]) -> Path:
    """Minutes in one shot: four subjects, each dissolving slowly into the next."""
    size = (320, 240)
    pictures = {name: Image.open(path).convert("RGB").resize(size) for name, path in photos.items()}

    def frames():
        for second in range(4 * EACH_S):
            index = max(i for i, (_, start) in enumerate(SUBJECTS) if start <= second)
            name, _ = SUBJECTS[index]
            picture = pictures[name]
            if index + 1 < len(SUBJECTS):
                following, start = SUBJECTS[index + 1]
                share = 1 - (start - second) / DISSOLVE_S
                if share > 0:
                    picture = Image.blend(picture, pictures[following], share)
            yield picture

    return write_video(tmp_path_factory.mktemp("take") / "take.mp4", frames(), fps=1)


def test_a_long_shot_whose_subject_changes_four_times_has_four_hits(
    stack: Stack, long_take: Path, tmp_path: Path
) -> None:
    client = stack.client()
    client.analyzed(tmp_path, long_take)
    bounds = [start for _, start in SUBJECTS] + [4 * EACH_S]
    words = {"cat": "a cat", "coffee": "espresso", "rocket": "space shuttle", "flower": "daisy"}
    for index, (name, start) in enumerate(SUBJECTS):
        matches = client.ok(
            "/search/text", query=words[name], cache_dir=str(tmp_path), max_results=50
        )["matches"]
        assert {m["scene_start_timestamp"] for m in matches} == {"00:00:00"}, "it is one shot"
        best = int(matches[0]["frame_idx"])
        prevails_from = max(0, start - DISSOLVE_S // 2)
        assert prevails_from <= best < bounds[index + 1], f"{name}: second {best}"
        seconds = sorted(int(match["frame_idx"]) for match in matches)
        assert all(b - a >= 10 for a, b in itertools.pairwise(seconds))
        quarters = {sum(second >= bound for bound in bounds) for second in seconds}
        assert quarters == {1, 2, 3, 4}, "every subject of the shot can be found"


def test_exclude_softens_and_never_filters_over_twenty_scenes(
    stack: Stack, photos: dict[str, Path], tmp_path: Path
) -> None:
    client = stack.client()
    names = ["cat", "coffee", "rocket", "astronaut", "flower"]
    shots = [(photos[name], 2) for _ in range(5) for name in names]
    clip = picture_video(tmp_path / "twenty scenes.mp4", shots)
    client.analyzed(tmp_path / "cache", clip)

    def order(**more: object) -> list[str]:
        """Start of each matching scene, best first."""
        matches = client.ok(
            "/search/text", query="a flower", cache_dir=str(tmp_path / "cache"), **more
        )["matches"]
        return [match["scene_start_timestamp"] for match in matches]

    def subject(start: str) -> str:
        return names[(int(start[-2:]) + 60 * int(start[3:5])) // 2 % 5]

    plain, softened = order(), order(exclude=["cat"])
    assert len(plain) == 25
    assert set(plain) == set(softened)
    for scene in plain:
        if subject(scene) == "cat":
            assert softened.index(scene) >= plain.index(scene)
    assert [subject(scene) for scene in softened[-5:]] == ["cat"] * 5
    assert [subject(scene) for scene in plain[-5:]] != ["cat"] * 5

    def others(scenes: list[str]) -> list[str]:
        # Equal pictures differ by the encoder's noise alone, so subjects are compared.
        return [subject(scene) for scene in scenes if subject(scene) != "cat"]

    assert others(plain) == others(softened)
