"""What is made of the files of a watch folder, and for which collection."""

from __future__ import annotations

from typing import Any

from shared.domain import ModelKind
from shared.media import MediaType
from shared.watch.folders import WatchFolder
from workers.watcher.folder.state import AnalysisProfile

KEYS = {kind: kind.value for kind in ModelKind}


def profile(**fields: Any) -> AnalysisProfile:
    folder = WatchFolder(
        id="f", path="/m", client_path="/m", cache_dir="/c", client_cache_dir="/c", created_at=1.0,
        **fields,
    )  # fmt: skip
    return AnalysisProfile.of(folder, KEYS, "mix")


def test_a_collection_receives_voices_also_where_no_faces_are_wanted() -> None:
    heard = profile(analyze_speech=True, cluster_job_name="Cast").spec
    assert (heard.collection, heard.people_of) == ("", "Cast")
    both = profile(analyze_speech=True, analyze_faces=True, cluster_job_name="Cast").spec
    assert (both.collection, both.people_of) == ("Cast", "Cast")
    assert profile(analyze_speech=True).spec.people_of == ""


def test_a_collection_for_voices_has_no_file_analyzed_again() -> None:
    plain = profile(analyze_speech=True)
    named = profile(analyze_speech=True, cluster_job_name="Cast")
    assert plain.signature(MediaType.VIDEO) == named.signature(MediaType.VIDEO)
