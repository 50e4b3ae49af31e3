"""The states of the service and of its folders, over restarts, spares and changes by users."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta

from shared.domain import TaskKind
from shared.watch.folders import Schedule
from shared.watch.options import FileGroup
from tests.support.media.media import make_clip
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import IngestStack, still


def test_stopped_running_stopping_and_stopped_again(ingest: IngestStack) -> None:
    make_clip(ingest.media / "a.mp4", 4)
    ingest.worker_with()
    folder = ingest.watch()
    ingest.watcher()
    ingest.wait_state("stopped")
    assert ingest.files.all(folder.id) == {}
    ingest.start_watching()
    ingest.wait_marker()
    live = ingest.wait_state("running")
    assert live.folders[folder.id].state == "running"
    ingest.folders.want(False)
    ingest.wait_state("stopping")
    ingest.release()
    ingest.wait_state("stopped")
    assert not ingest.ledger.open_tasks(TaskKind.INGEST)
    ingest.start_watching()
    ingest.wait_processed(folder, "a.mp4")
    ingest.wait_state("waiting")


def test_the_wanted_state_outlives_watcher_and_redis(served: IngestStack) -> None:
    folder = served.watch()
    served.start_watching()
    served.watcher(0)
    served.wait_state("waiting")
    served.stack.processes["watcher-0"].kill()
    served.client.flushall()
    served.watcher(1)
    still(served.media / "a.png", 1)
    served.wait_processed(folder, "a.png")


def test_a_spare_takes_over_and_a_watcher_that_wakes_up_stands_down(served: IngestStack) -> None:
    folder = served.watch()
    served.start_watching()
    first = served.watcher(0)
    served.wait_state("waiting")
    spare = served.watcher(1)
    wait_for(lambda: "stands by" in str(served.hearts("watcher")), 20, "the spare")
    first.popen.send_signal(signal.SIGSTOP)
    still(served.media / "a.png", 1)
    wait_for(lambda: "active watcher now" in spare.text(), 15, "the spare to take over")
    served.wait_processed(folder, "a.png")
    first.popen.send_signal(signal.SIGCONT)
    wait_for(lambda: "not the active watcher any more" in first.text(), 15, "it to stand down")
    still(served.media / "b.png", 2)
    served.wait_processed(folder, "a.png", "b.png")
    assert served.ingested() == 2


def test_a_watcher_that_ends_lets_a_spare_take_over_at_once(ingest: IngestStack) -> None:
    ingest.watch()
    ingest.start_watching()
    first = ingest.watcher(0)
    ingest.wait_state("waiting")
    spare = ingest.watcher(1)
    assert first.end() == 0
    wait_for(lambda: "active watcher now" in spare.text(), 8, "the spare")


def test_a_disabled_folder_rests_and_goes_on_where_it_was(served: IngestStack) -> None:
    still(served.media / "a.png", 1)
    folder = served.watch(enabled=False)
    other = served.folder / "other"
    still(other / "b.png", 2)
    busy = served.watch(other)
    served.start_watching()
    served.watcher()
    served.wait_processed(busy, "b.png")
    assert served.files.all(folder.id) == {}
    served.change(folder, enabled=True)
    served.wait_processed(folder, "a.png")


def test_a_removed_folder_is_forgotten_and_its_tasks_end(ingest: IngestStack) -> None:
    for n in range(3):
        make_clip(ingest.media / f"{n}.mp4", 4)
    ingest.worker_with()
    folder = ingest.watch()
    ingest.start_watching()
    ingest.watcher()
    ingest.wait_marker()
    with ingest.folders.changing() as folders:
        folders.remove(folder.id)
    wait_for(lambda: not ingest.files.all(folder.id), 15, "it to be forgotten")
    ingest.release()
    wait_for(lambda: not ingest.ledger.open_tasks(TaskKind.INGEST), 15, "the end of its Tasks")
    assert folder.id not in ingest.files.facts()


def test_other_exclusions_and_analyses_apply_to_files_seen_before(ingest: IngestStack) -> None:
    make_clip(ingest.media / "a.mp4", 1)
    still(ingest.media / "b.png", 2)
    still(ingest.media / "C_proxy.png", 3)
    ingest.worker_that_sees_squares()
    folder = ingest.watch(excluded_extensions=("MP4",), excluded_filename_globs=("*_PROXY.*",))
    ingest.start_watching()
    ingest.watcher(0, **ingest.squares_env())
    ingest.wait_processed(folder, "b.png")
    folder = ingest.change(folder, excluded_extensions=(".png",), excluded_filename_globs=())
    ingest.wait_processed(folder, "a.mp4")
    folder = ingest.change(folder, excluded_extensions=())
    ingest.wait_processed(folder, "a.mp4", "b.png", "C_proxy.png")
    visual = {key for key in ingest.published() if key[1] == "visual"}
    assert len(visual) == 3
    ingest.change(folder, analyze_faces=True, cluster_job_name="Season 1")
    wait_for(lambda: len([k for k in ingest.published() if k[1] == "faces"]) == 3, 30, "faces")
    ingest.wait_processed(folder, "a.mp4", "b.png", "C_proxy.png")
    assert set(ingest.published().values()) == {1}, "nothing was repeated"


def test_a_folder_works_in_its_hours_only(served: IngestStack) -> None:
    still(served.media / "a.png", 1)
    now = datetime.now()
    later = [(now + timedelta(hours=h)).strftime("%H:%M") for h in (2, 4)]
    folder = served.watch(schedule=Schedule(*later))
    served.start_watching()
    served.watcher()
    served.wait_reason(folder, f"until {later[0]}")
    served.wait_group(folder, FileGroup.PENDING, 1)
    assert served.ingested() == 0
    earlier = (now - timedelta(hours=1)).strftime("%H:%M")
    served.change(folder, schedule=Schedule(earlier, later[0]))
    served.wait_processed(folder, "a.png")


def test_another_active_model_makes_what_it_lacks(served: IngestStack) -> None:
    still(served.media / "a.png", 1)
    folder = served.watch()
    served.start_watching()
    served.watcher(0)
    served.wait_processed(folder, "a.png")
    served.stack.processes["watcher-0"].end()
    served.watcher(1, RUSHES_VISUAL_MODEL="not-a-model")
    served.wait_reason(folder, "not-a-model", 40)
    assert served.group(folder, FileGroup.PENDING)["a.png"].tries == 0
    served.stack.processes["watcher-1"].end()
    served.watcher(2)
    served.wait_processed(folder, "a.png")
    assert set(served.published().values()) == {1}


def test_polled_folders_see_what_comes_goes_and_is_rewritten(served: IngestStack) -> None:
    still(served.media / "a.png", 1)
    folder = served.watch(polling="always")
    served.start_watching()
    served.watcher()
    served.wait_processed(folder, "a.png")
    wait_for(
        lambda: (live := served.live()) and live.folders[folder.id].is_polling, 10, "its polling"
    )
    still(served.media / "deep" / "er" / "b.png", 2)
    served.wait_processed(folder, "a.png", "deep/er/b.png")
    (served.media / "a.png").unlink()
    served.wait_processed(folder, "deep/er/b.png")


def test_a_periodic_walk_finds_what_nobody_told_of(served: IngestStack) -> None:
    folder = served.watch(polling="never")
    hidden = served.folder / "elsewhere"
    hidden.mkdir()
    (served.media / "link").symlink_to(hidden)
    served.start_watching()
    served.watcher(0, RUSHES_WATCH_RESCAN_SECONDS="1")
    served.wait_state("waiting")
    still(hidden / "a.png", 1)
    served.wait_processed(folder, "link/a.png")


def test_a_damaged_list_of_folders_is_named_and_waited_for(served: IngestStack) -> None:
    still(served.media / "a.png", 1)
    folder = served.watch()
    served.start_watching()
    kept = served.state_dir / "watch-folders.json"
    whole = kept.read_bytes()
    kept.write_bytes(b"{")
    served.client.flushall()
    watcher = served.watcher()
    wait_for(lambda: "watch-folders.json cannot be read" in watcher.text(), 15, "the reason")
    kept.write_bytes(whole)
    served.wait_processed(folder, "a.png")
    assert watcher.text().count("cannot be read") == 1
