"""The states of the service and of its folders, over restarts, spares and changes by users."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta

from shared.domain import TaskKind
from shared.watch.choices import FileGroup
from shared.watch.folders import Schedule
from tests.support.media.media import make_clip
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import Farm, still


def test_stopped_running_stopping_and_stopped_again(farm: Farm) -> None:
    make_clip(farm.media / "a.mp4", 4)
    farm.worker_with()
    folder = farm.watch()
    farm.watcher()
    farm.wait_state("stopped")
    assert farm.files.all(folder.id) == {}
    farm.start_watching()
    farm.wait_marker()
    live = farm.wait_state("running")
    assert live.folders[folder.id].state == "running"
    farm.folders.want(False)
    farm.wait_state("stopping")
    farm.release()
    farm.wait_state("stopped")
    assert not farm.ledger.open_tasks(TaskKind.INGEST)
    farm.start_watching()
    farm.wait_processed(folder, "a.mp4")
    farm.wait_state("waiting")


def test_the_wanted_state_outlives_watcher_and_redis(farm: Farm) -> None:
    folder = farm.watch()
    farm.start_watching()
    farm.watcher(0)
    farm.wait_state("waiting")
    farm.stack.processes["watcher-0"].kill()
    farm.client.flushall()
    farm.worker()
    farm.watcher(1)
    still(farm.media / "a.png", 1)
    farm.wait_processed(folder, "a.png")


def test_a_spare_takes_over_and_a_watcher_that_wakes_up_stands_down(farm: Farm) -> None:
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    first = farm.watcher(0)
    farm.wait_state("waiting")
    spare = farm.watcher(1)
    wait_for(lambda: "stands by" in str(farm.hearts("watcher")), 20, "the spare")
    first.popen.send_signal(signal.SIGSTOP)
    still(farm.media / "a.png", 1)
    wait_for(lambda: "active watcher now" in spare.text(), 15, "the spare to take over")
    farm.wait_processed(folder, "a.png")
    first.popen.send_signal(signal.SIGCONT)
    wait_for(lambda: "not the active watcher any more" in first.text(), 15, "it to stand down")
    still(farm.media / "b.png", 2)
    farm.wait_processed(folder, "a.png", "b.png")
    assert farm.ingested() == 2


def test_a_watcher_that_ends_lets_a_spare_take_over_at_once(farm: Farm) -> None:
    farm.watch()
    farm.start_watching()
    first = farm.watcher(0)
    farm.wait_state("waiting")
    spare = farm.watcher(1)
    assert first.end() == 0
    wait_for(lambda: "active watcher now" in spare.text(), 8, "the spare")


def test_a_disabled_folder_rests_and_goes_on_where_it_was(farm: Farm) -> None:
    still(farm.media / "a.png", 1)
    farm.worker()
    folder = farm.watch(enabled=False)
    other = farm.folder / "other"
    still(other / "b.png", 2)
    busy = farm.watch(other)
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(busy, "b.png")
    assert farm.files.all(folder.id) == {}
    farm.change(folder, enabled=True)
    farm.wait_processed(folder, "a.png")


def test_a_removed_folder_is_forgotten_and_its_tasks_end(farm: Farm) -> None:
    for n in range(3):
        make_clip(farm.media / f"{n}.mp4", 4)
    farm.worker_with()
    folder = farm.watch()
    farm.start_watching()
    farm.watcher()
    farm.wait_marker()
    with farm.folders.changing() as folders:
        folders.remove(folder.id)
    wait_for(lambda: not farm.files.all(folder.id), 15, "it to be forgotten")
    farm.release()
    wait_for(lambda: not farm.ledger.open_tasks(TaskKind.INGEST), 15, "the end of its Tasks")
    assert folder.id not in farm.files.facts()


def test_other_exclusions_and_analyses_apply_to_files_seen_before(farm: Farm) -> None:
    make_clip(farm.media / "a.mp4", 1)
    still(farm.media / "b.png", 2)
    still(farm.media / "C_proxy.png", 3)
    farm.worker_that_sees_squares()
    folder = farm.watch(excluded_extensions=("MP4",), excluded_filename_globs=("*_PROXY.*",))
    farm.start_watching()
    farm.watcher(0, **farm.squares_env())
    farm.wait_processed(folder, "b.png")
    folder = farm.change(folder, excluded_extensions=(".png",), excluded_filename_globs=())
    farm.wait_processed(folder, "a.mp4")
    folder = farm.change(folder, excluded_extensions=())
    farm.wait_processed(folder, "a.mp4", "b.png", "C_proxy.png")
    visual = {key for key in farm.published() if key[1] == "visual"}
    assert len(visual) == 3
    farm.change(folder, analyze_faces=True, cluster_job_name="Season 1")
    wait_for(lambda: len([k for k in farm.published() if k[1] == "faces"]) == 3, 30, "faces")
    farm.wait_processed(folder, "a.mp4", "b.png", "C_proxy.png")
    assert set(farm.published().values()) == {1}, "nothing was repeated"


def test_a_folder_works_in_its_hours_only(farm: Farm) -> None:
    still(farm.media / "a.png", 1)
    farm.worker()
    now = datetime.now()
    later = [(now + timedelta(hours=h)).strftime("%H:%M") for h in (2, 4)]
    folder = farm.watch(schedule=Schedule(*later))
    farm.start_watching()
    farm.watcher()
    farm.wait_reason(folder, f"until {later[0]}")
    farm.wait_group(folder, FileGroup.PENDING, 1)
    assert farm.ingested() == 0
    earlier = (now - timedelta(hours=1)).strftime("%H:%M")
    farm.change(folder, schedule=Schedule(earlier, later[0]))
    farm.wait_processed(folder, "a.png")


def test_another_active_model_makes_what_it_lacks(farm: Farm) -> None:
    still(farm.media / "a.png", 1)
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    farm.watcher(0)
    farm.wait_processed(folder, "a.png")
    farm.stack.processes["watcher-0"].end()
    farm.watcher(1, RUSHES_VISUAL_MODEL="not-a-model")
    farm.wait_reason(folder, "not-a-model", 40)
    assert farm.group(folder, FileGroup.PENDING)["a.png"].tries == 0
    farm.stack.processes["watcher-1"].end()
    farm.watcher(2)
    farm.wait_processed(folder, "a.png")
    assert set(farm.published().values()) == {1}


def test_polled_folders_see_what_comes_goes_and_is_rewritten(farm: Farm) -> None:
    still(farm.media / "a.png", 1)
    farm.worker()
    folder = farm.watch(polling="always")
    farm.start_watching()
    farm.watcher()
    farm.wait_processed(folder, "a.png")
    live = farm.live()
    assert live is not None
    assert live.folders[folder.id].is_polling is True
    still(farm.media / "deep" / "er" / "b.png", 2)
    farm.wait_processed(folder, "a.png", "deep/er/b.png")
    (farm.media / "a.png").unlink()
    farm.wait_processed(folder, "deep/er/b.png")


def test_a_periodic_walk_finds_what_nobody_told_of(farm: Farm) -> None:
    farm.worker()
    folder = farm.watch(polling="never")
    hidden = farm.folder / "elsewhere"
    hidden.mkdir()
    (farm.media / "link").symlink_to(hidden)
    farm.start_watching()
    farm.watcher(0, RUSHES_WATCH_RESCAN_SECONDS="1")
    farm.wait_state("waiting")
    still(hidden / "a.png", 1)
    farm.wait_processed(folder, "link/a.png")


def test_a_damaged_list_of_folders_is_named_and_waited_for(farm: Farm) -> None:
    still(farm.media / "a.png", 1)
    farm.worker()
    folder = farm.watch()
    farm.start_watching()
    kept = farm.state_dir / "watch-folders.json"
    whole = kept.read_bytes()
    kept.write_bytes(b"{")
    farm.client.flushall()
    watcher = farm.watcher()
    wait_for(lambda: "watch-folders.json cannot be read" in watcher.text(), 15, "the reason")
    kept.write_bytes(whole)
    farm.wait_processed(folder, "a.png")
    assert watcher.text().count("cannot be read") == 1
