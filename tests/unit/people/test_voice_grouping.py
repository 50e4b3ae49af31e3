"""New voices join people whom they are clearly like; known ones stay, whatever comes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from shared.people import numbered_files
from shared.people.addition_log import Addition
from shared.people.clustering import NO_CLUSTER, Clustering, VoiceGrouping
from shared.people.edits import ClusterMerge, FaceMove, Modify, NewEdit
from shared.people.enrolment import NOBODY
from shared.people.state import PeopleState
from tests.support.people.clusterings import clustering
from workers.recluster.voice_upkeep import DIM, FileVoices, HeardVoice, regrouped

ADA, BO, CY = range(3)


def row(person: int, off: float = 0.0, towards: int | None = None) -> tuple[float, ...]:
    """Of somebody; `off`: degrees away, towards another one or to nowhere."""
    found = np.zeros(DIM)
    found[person] = math.cos(math.radians(off))
    found[8 + person if towards is None else towards] += math.sin(math.radians(off))
    return tuple(found.tolist())


def voice(id_: int, of: tuple[float, ...], seconds: float = 30.0) -> HeardVoice:
    return HeardVoice(id_, id_ - 1, of, seconds, (1.0, 4.0))


def file(number: int, *voices: HeardVoice, version: int = 1) -> FileVoices:
    return FileVoices(f"{number:016x}", f"speakers.tones.{version:08x}.json", voices)


def state(grouping: VoiceGrouping, *edits: NewEdit, faces: Clustering | None = None) -> PeopleState:
    log = [Addition(f"{n:012d}-0000000a", n, 0.0, what) for n, what in enumerate(edits, 1)]
    return PeopleState.of(faces or Clustering.empty(), log, NOBODY, grouping)


def grouped(*files: FileVoices) -> VoiceGrouping:
    """One after another, as Items end."""
    found = VoiceGrouping.empty()
    for number, one in enumerate(files, 1):
        found = regrouped(state(found), [one])
        numbered_files.check_voices(VoiceGrouping(**{**_fields(found), "number": number}))
    return found


def _fields(grouping: VoiceGrouping) -> dict[str, object]:
    return {name: getattr(grouping, name) for name in VoiceGrouping.__slots__}


def labels(grouping: VoiceGrouping) -> list[int]:
    """Clusters as 0, 1, 2 … by first appearance."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(label, len(numbers)) for label in grouping.labels.tolist()]


def test_a_voice_of_another_file_joins_whom_it_is_like() -> None:
    found = grouped(
        file(1, voice(1, row(ADA)), voice(2, row(BO))),
        file(2, voice(1, row(BO, 5)), voice(2, row(CY))),
    )
    assert labels(found) == [0, 1, 1, 2]
    assert found.labels.min() > 0
    assert found.media == (f"{1:016x}", f"{2:016x}")
    assert found.excerpts.tolist() == [[1, 4]] * 4


def test_all_at_once_are_grouped_as_one_after_another() -> None:
    files = [file(n, voice(1, row(ADA, n)), voice(2, row(BO, n))) for n in range(1, 5)]
    at_once = regrouped(state(VoiceGrouping.empty()), files)
    assert labels(at_once) == labels(grouped(*files)) == [0, 1] * 4
    assert at_once.labels.tolist() == grouped(*files).labels.tolist(), "ids are alike everywhere"


def test_who_is_too_far_or_between_two_is_somebody_else() -> None:
    base = file(1, voice(1, row(ADA)), voice(2, row(ADA, 40, BO)))
    assert labels(grouped(base, file(2, voice(1, row(ADA, 45))))) == [0, 1, 2]
    assert labels(grouped(base, file(2, voice(1, row(ADA, 19, BO))))) == [0, 1, 2]


def test_two_speakers_of_a_file_are_never_one_person_by_themselves() -> None:
    same = file(1, voice(1, row(ADA)), voice(2, row(ADA, 1)))
    assert labels(grouped(same)) == [0, 1]
    twice = grouped(file(1, voice(1, row(ADA))), file(2, voice(1, row(ADA, 4)), voice(2, row(ADA))))
    assert labels(twice) == [0, 1, 0], "the nearer one"
    late = regrouped(
        state(twice), [file(2, *(voice(n, row(ADA, n)) for n in (1, 2, 3)), version=2)]
    )
    assert labels(late) == [0, 1, 0, 2]


def test_a_short_voice_joins_nobody_and_nobody_joins_it() -> None:
    short = file(2, voice(1, row(ADA), seconds=1.0))
    assert labels(grouped(file(1, voice(1, row(ADA))), short)) == [0, 1]
    assert labels(grouped(short, file(3, voice(1, row(ADA))))) == [0, 1]


def test_known_voices_keep_their_clusters_and_those_that_come_back_have_theirs() -> None:
    first = grouped(file(1, voice(1, row(ADA)), voice(2, row(BO))), file(2, voice(5, row(ADA, 3))))
    other = regrouped(state(first), [file(1, voice(2, row(CY)), version=2)])
    assert other.labels.tolist() == first.labels.tolist(), "even if it sounds otherwise now"
    assert other.is_there.tolist() == [False, True, True]
    assert not other.rows[0].any(), "nothing biometric is remembered"
    gone = regrouped(state(other), [FileVoices(f"{1:016x}")])
    assert (gone.is_there.tolist(), gone.media_files[0]) == ([False, False, True], "")
    back = regrouped(state(gone), [file(1, voice(1, row(ADA)), voice(2, row(BO)), version=3)])
    assert back.labels.tolist() == first.labels.tolist()
    assert back.is_there.all()
    assert np.array_equal(back.rows, first.rows)


def test_a_new_speaker_joins_the_person_whose_former_one_is_gone() -> None:
    first = grouped(file(1, voice(1, row(ADA))), file(2, voice(5, row(ADA, 3))))
    anew = regrouped(state(first), [file(2, voice(6, row(ADA, 3)), version=2)])
    assert labels(anew) == [0, 0, 0]


def test_people_whom_users_have_merged_are_one_to_newcomers() -> None:
    first = grouped(file(1, voice(1, row(ADA))), file(2, voice(1, row(ADA, 40, BO))))
    one, other = first.labels.tolist()
    merge = Modify(merges=(ClusterMerge((other,), one),))
    between = file(3, voice(1, row(ADA, 19, BO)))
    found = regrouped(state(first, merge), [between])
    assert found.labels[2] in (one, other)
    seen = clustering([70, 70])
    to_face = Modify(merges=(ClusterMerge((one,), 70),))
    found = regrouped(state(first, to_face, faces=seen), [file(3, voice(1, row(ADA, 2)))])
    assert found.labels[2] == one, "and so is of the merged person, as long as that is"


def test_a_voice_that_was_moved_by_hand_teaches() -> None:
    first = grouped(file(1, voice(1, row(ADA))), file(2, voice(1, row(ADA, 20))))
    assert labels(first) == [0, 0]
    newcomer = file(3, voice(1, row(ADA, 20)))

    def with_move(target: int, faces: Clustering | None = None) -> int:
        is_new = target == 555
        voices = (first.voice_id(1),)
        move = Modify(moves=(FaceMove((), target, is_new=is_new, voice_ids=voices),))
        return int(regrouped(state(first, move, faces=faces), [newcomer]).labels[2])

    assert with_move(555) == 555, "made up for the move: who is like the moved one goes with it"
    ada = int(first.labels[0])
    assert with_move(NO_CLUSTER) not in (ada, NO_CLUSTER)
    assert with_move(70, clustering([70])) not in (ada, 70), "no voice joins a face by itself"
    retired = replace(clustering([80]), retired=np.array([70], np.int32))
    assert with_move(70, retired) not in (ada, 70), "nor faces that may come back"
    assert with_move(70) not in (ada, 70), "nor an id of which nothing is known"


def test_ids_of_faces_are_given_to_no_voice() -> None:
    alone = file(1, voice(1, row(ADA)))
    (label,) = grouped(alone).labels.tolist()
    taken = clustering([label])
    assert regrouped(state(VoiceGrouping.empty(), faces=taken), [alone]).labels[0] != label


def test_rows_of_another_model_are_left_and_their_files_read_again() -> None:
    first = grouped(file(1, voice(1, row(ADA))), file(2, voice(1, row(ADA, 2))))
    of_other = replace(first, model="other", rows=first.rows[:, :8])
    found = regrouped(state(of_other), [file(2, voice(1, row(ADA)))])
    assert found.labels.tolist() == first.labels.tolist()
    assert found.rows.any(axis=1).tolist() == [False, True]
    assert (found.model, found.media_files) == (first.model, ("", file(2).file))


def test_of_a_deleted_voice_nothing_is_remembered() -> None:
    first = grouped(file(1, voice(1, row(ADA)), voice(2, row(BO))))
    left = FileVoices(f"{1:016x}", "anew", [voice(2, row(BO))], frozenset({1}))
    assert regrouped(state(first), [left]).ids.tolist() == [2]


@pytest.mark.parametrize("strange", [(), (0.0,) * DIM, (1.0,) * 3, (float("inf"),) * DIM])
def test_rows_that_tell_nothing_join_nobody(strange: tuple[float, ...]) -> None:
    found = grouped(file(1, voice(1, row(ADA))), file(2, voice(1, strange)), file(3))
    assert labels(found) == [0, 1]
    assert found.media_files[2] == file(3).file, "nobody speaks there, and it was looked at"
