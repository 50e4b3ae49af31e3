"""The page of the server, in a real browser: health, machines, models, keys, webhooks, audit."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from shared.audit import AuditLine, AuditLog, now
from shared.redis.clients import connect
from shared.webhooks.events import Message
from shared.webhooks.outbox import Outbox
from tests.e2e.console.conftest import Library
from tests.e2e.console.test_looks import blocked
from tests.support.console.administrator import Administrator
from tests.support.console.chromium import Window, window
from tests.support.console.looks import PHONE, findings
from tests.support.console.lost import lost
from tests.support.media.media import Encoding, make_clip
from tests.support.stack import Stack
from tests.support.waiting import wait_for
from tests.support.webhook_receiver import Receiver

SECTIONS = ("Machines", "Models", "Keys", "Webhooks", "Audit log")  # besides the first
_LOOKED_MS = 60_000  # it looks at everything, which takes long on a busy machine


@pytest.fixture
def admin(signed_in: Window, library: Library) -> Administrator:
    return Administrator(signed_in.page, library.client.url)


@pytest.fixture
def other(browser: Browser, library: Library) -> Iterator[Administrator]:
    """Somebody in a window of their own, who is not signed in yet."""
    with window(browser) as opened:
        yield Administrator(opened.page, library.client.url)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().listening() as receiver:
        yield receiver


@pytest.mark.timeout(300)  # on a busy machine the library, which is made for it, takes long
def test_health_says_what_is_wrong_and_its_cure(admin: Administrator, stack: Stack) -> None:
    state = stack.folder / "state"
    state.chmod(0o755)
    try:
        with admin.page.expect_response("**/doctor", timeout=_LOOKED_MS) as looked:
            admin.open("health")
        expect(admin.content).to_contain_text("Ready: everything")
        wrong = admin.content.get_by_role("listitem").filter(has_text="every user of this machine")
        expect(wrong).to_contain_text("Warning: RUSHES_STATE_DIR", timeout=_LOOKED_MS)
        expect(wrong).to_contain_text("What to do: run")
        copy = wrong.get_by_role("button", name=f"Copy chmod o= {state}")
        copy.click()
        expect(copy).to_contain_text("copied")
        expect(admin.content).to_contain_text(re.compile("Looked at on .+ago"))
        assert findings(admin.page, crosswise=True) == []
    finally:
        state.chmod(0o700)
    report = looked.value.json()
    kept = [one for one in report["findings"] if one["subject"] != "RUSHES_STATE_DIR"]
    mended = report | {"findings": kept}  # the server's own second look takes as long as the first
    admin.page.route("**/doctor?fresh=true", lambda route: route.fulfill(json=mended))
    admin.press("Look again")
    expect(wrong).to_have_count(0)


def test_machines_say_what_each_worker_does(
    admin: Administrator, library: Library, stack: Stack, tmp_path: Path
) -> None:
    admin.open("machines")
    worker = admin.content.get_by_role("listitem").filter(has_text="Analysis worker")
    expect(worker).to_contain_text("Waits for work")
    expect(worker).to_contain_text(re.compile(r"Pictures: conse-lite0, \d+ MB"))
    slow = Encoding(fps=2, gop=4)  # soon made, and analyzed for some seconds
    clips = [make_clip(tmp_path / f"Take {n}.mp4", 40, encoding=slow) for n in range(4)]
    task = library.client.analyze(tmp_path, *clips)
    with held(stack):
        expect(worker).to_contain_text("Works")
        expect(worker).to_contain_text(task)
        expect(worker).to_contain_text(re.compile(r"AtTake \d+\.mp4"))
    library.client.wait_final(task)
    expect(worker).to_contain_text("Waits for work")


@contextmanager
def held(stack: Stack) -> Iterator[None]:
    """The analysis worker stands still in the midst of a file, while its heartbeat lasts."""

    def is_at_a_file() -> bool:
        machines = stack.client().get("/machines").json()["machines"]
        return any(one["media_path"] for machine in machines for one in machine["processes"])

    wait_for(is_at_a_file, 60, "a file that is worked on", every_s=0.05)
    group = stack.processes["analysis-0"].popen.pid
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)


def test_a_model_is_loaded_after_it_was_said_what_that_means(
    admin: Administrator, library: Library
) -> None:
    active = library.client.get("/models/loaded").json()["speech"]["model_key"]
    offered = library.client.get("/models/available").json()["speech"]
    model = next(one for one in offered if one["is_downloaded"] and one["model_key"] != active)
    admin.open("models")
    card = admin.card(model["display_name"])
    expect(card).to_contain_text(model["licence"])
    try:
        admin.press(f"Load {model['display_name']}")
        dialog = admin.dialog(re.compile("^Load "))
        expect(dialog).to_contain_text("Transcripts that are there stay")
        dialog.get_by_role("button", name="Load").click()
        expect(card).to_contain_text("active")
        expect(card.get_by_role("button", name=re.compile("Load"))).to_have_count(0)
    finally:
        library.client.ok("/models/load", model_key=active, model_type="speech")


def test_a_fetch_shows_the_licence_and_how_far_it_is(
    admin: Administrator, library: Library
) -> None:
    """Without weights from elsewhere: what the server would answer of a fetch is made up here."""
    offered = library.client.get("/models/available").json()
    absent = [one for kind in offered.values() for one in kind if not one["is_downloaded"]]
    model = next(one for one in absent if one["commercial_use"] is not True)
    fetch: dict[str, Any] = {
        "model_key": model["model_key"],
        "state": "running",
        "bytes": 40_000_000,
        "total_bytes": 100_000_000,
        "message": "",
        "host": "here",
        "started_at": time.time(),
        "finished_at": None,
    }
    fetches: list[dict[str, Any]] = []

    def take(route: Route) -> None:
        fetches.append(fetch)
        accepted = {
            "message": "It is fetched.",
            "model_key": route.request.post_data_json["model_key"],
        }
        route.fulfill(status=202, json=accepted)

    admin.page.route("**/models/fetch", take)
    admin.page.route("**/models/fetches", lambda route: route.fulfill(json={"fetches": fetches}))
    admin.open("models")
    admin.press(f"Fetch {model['display_name']}")
    dialog = admin.dialog(re.compile("^Fetch "))
    expect(dialog).to_contain_text(model["licence"])
    button = dialog.get_by_role("button", name="Fetch")
    expect(button).to_be_disabled()
    dialog.get_by_role("checkbox", name="I have read this").check()
    button.click()
    card = admin.card(model["display_name"])
    expect(card.get_by_role("progressbar")).to_have_attribute("value", "40000000")
    expect(card).to_contain_text("40 MB of 100 MB")
    fetch |= {"state": "failed", "message": "The disk is full. Run `rushes doctor`."}
    expect(card.get_by_role("alert")).to_contain_text("The disk is full")
    expect(card.get_by_role("button", name="Copy rushes doctor")).to_be_visible()
    expect(card.get_by_role("button", name=re.compile("Fetch"))).to_be_visible()


def test_a_key_is_created_used_in_another_window_and_revoked(
    admin: Administrator, other: Administrator, library: Library
) -> None:
    admin.open("keys")
    folders = f"{library.shoot.folder}\n{library.cache_dir}"
    key = admin.create_key("Assistant", "search", "models", roots=folders)
    card = admin.card("Assistant")
    expect(card).to_contain_text("search, models")
    expect(card).to_contain_text(folders.replace("\n", ", "))
    expect(card).to_contain_text("never")
    other.sign_in(key)
    other.open("keys")
    expect(other.content).to_contain_text("Keys: your key lacks the scope “admin”")
    expect(other.sections).to_have_text(["Health", "Models"])
    other.go_to("Models")
    expect(other.content.get_by_role("button", name=re.compile("Load")).first).to_be_visible()
    expect(card).to_contain_text("less than a minute ago")
    admin.press("Revoke Assistant")
    dialog = admin.dialog("Revoke the key “Assistant”?")
    expect(dialog).to_contain_text("signed out")
    dialog.get_by_role("button", name="Revoke").click()
    expect(card).to_have_count(0)
    expect(admin.page.get_by_role("heading", name="Keys")).to_be_focused()
    expect(other.page.get_by_role("dialog", name="Sign in")).to_contain_text("ended")


def test_a_new_key_stays_until_somebody_has_it(admin: Administrator, library: Library) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    admin.open("models")
    admin.go_to("Keys")
    admin.press("Create a key")
    form = admin.dialog("Create a key")
    form.get_by_label("Label").fill("Made late")
    admin.page.route("**/keys", hold)
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_role("button", name="Cancel")).to_be_disabled()
    admin.page.keyboard.press("Escape")
    expect(form).to_be_visible()
    admin.page.go_back()
    expect(form).to_have_count(0)
    held.pop().continue_()
    made = admin.dialog("Made late")
    expect(admin.page).to_have_title("Models · Server · Rushes")
    with admin.page.expect_event("dialog") as asked:
        admin.page.evaluate("setTimeout(() => location.reload())")
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    assert admin.read_once("Made late", "The key")
    expect(made).to_have_count(0)
    keys = library.client.get("/keys").json()["keys"]
    for key in (one for one in keys if one["label"] == "Made late"):
        assert library.client.http.delete(f"/keys/{key['id']}").status_code == 200


def test_what_is_wrong_in_the_form_of_a_key_is_a_sentence(admin: Administrator) -> None:
    admin.open("keys")
    admin.press("Create a key")
    form = admin.dialog("Create a key")
    create = form.get_by_role("button", name="Create")
    form.get_by_label("Folders that it may use").fill("footage")
    create.click()
    expect(form.get_by_role("alert")).to_contain_text("“footage” is no whole path")
    form.get_by_label("Folders that it may use").fill("")
    form.get_by_label("Last day").fill("2020-01-01")
    create.click()
    expect(form.get_by_role("alert")).to_contain_text("This day is over")
    for box in form.get_by_role("checkbox").all():
        box.uncheck()
    create.click()
    expect(form.get_by_role("alert")).to_contain_text("at least one")


def test_the_own_key_can_be_revoked_with_another_alone(
    other: Administrator, library: Library
) -> None:
    made = library.client.post("/keys", label="My own").json()
    other.sign_in(made["license_key"])
    other.open("keys")
    expect(other.card("My own")).to_contain_text("To revoke it, sign in with another key")
    expect(other.card("My own").get_by_role("button")).to_have_count(0)
    expect(other.card("key 1")).to_contain_text("RUSHES_LICENSE_KEYS")
    assert library.client.http.delete(f"/keys/{made['key']['id']}").status_code == 200
    other.go_to("Audit log")
    expect(other.page.get_by_role("dialog", name="Sign in")).to_be_visible()


def test_a_webhook_is_added_tried_mended_and_removed(
    admin: Administrator, stack: Stack, receiver: Receiver
) -> None:
    admin.open("webhooks")
    form = admin.fill_webhook(receiver.url, "task.ended")
    with lost(admin.page, "**/webhooks"):
        form.get_by_role("button", name="Add").click()
        expect(form.get_by_role("alert")).to_contain_text("The server does not answer")
    form.get_by_role("button", name="Add").click()
    receiver.secret = admin.take_secret()
    card = admin.card(receiver.url)
    expect(card).to_have_count(1)
    expect(card).to_contain_text("A task has ended")
    admin.press(f"Try {receiver.url}")
    expect(card).to_contain_text("The receiver took it.")
    assert [message["type"] for message in receiver.messages] == ["webhook.test"]
    receiver.status = 500
    give_up(stack, receiver.url, count=3)
    expect(card).to_contain_text("3 messages given up")
    expect(card).to_contain_text("It answered 500.")
    receiver.status = 200
    card.get_by_text("3 messages given up").click()
    card.get_by_text("Content").first.click()
    expect(card.locator("pre").first).to_contain_text('"task_id": "old 2"')
    card.get_by_role("button", name=re.compile("^Send again: a task has ended")).first.click()
    expect(card).to_contain_text("2 messages given up")
    card.get_by_role("button", name=re.compile("^Drop: ")).first.click()
    expect(card).to_contain_text("1 message given up")
    card.get_by_role("button", name="Send all again").click()
    expect(card).not_to_contain_text("given up")
    expect(card).to_contain_text("none")
    wait_for(lambda: len(receiver.messages) == 3, 10, "what was sent again")
    told = [message["data"]["task_id"] for message in receiver.messages[1:]]
    assert sorted(told) == ["old 0", "old 2"]
    admin.press(f"Remove {receiver.url}")
    admin.dialog("Remove this webhook?").get_by_role("button", name="Remove").click()
    expect(card).to_have_count(0)


def give_up(stack: Stack, url: str, count: int) -> None:
    """Messages that the receiver did not take for more than a day."""
    hooks = stack.client().get("/webhooks").json()["webhooks"]
    hook = next(hook["id"] for hook in hooks if hook["url"] == url)
    with connect(stack.redis_url) as redis:
        for number in range(count):
            at = time.time() - 90_000 + number
            data = {"task_id": f"old {number}"}
            Outbox(redis, "default").put(
                hook, Message(f"task.ended:old {number}", "task.ended", at, data)
            )


def test_the_audit_log_says_what_was_just_done_and_is_filtered_by_address(
    admin: Administrator, library: Library
) -> None:
    made = library.client.post("/keys", label="For the log").json()["key"]["id"]
    assert library.client.http.delete(f"/keys/{made}").status_code == 200
    admin.open("audit")
    lines = admin.content.get_by_role("list").get_by_role("listitem")
    expect(lines.nth(0)).to_contain_text("revoked a key")
    expect(lines.nth(0)).to_contain_text("from 127.0.0.1")
    expect(lines.nth(1)).to_contain_text("created a key")
    lines.nth(0).locator("summary").click()
    expect(lines.nth(0)).to_contain_text(made)
    admin.content.get_by_label("What").select_option(label="created a key")
    expect(lines.nth(0)).to_contain_text("created a key")
    assert "action=create_key" in admin.page.url
    admin.page.reload()
    expect(lines.nth(0)).to_contain_text("created a key")
    expect(lines.filter(has_text="revoked a key")).to_have_count(0)


def test_the_audit_log_goes_on_while_one_scrolls(admin: Administrator, stack: Stack) -> None:
    log = AuditLog(stack.folder / "state")
    for number in range(220):
        log.write(AuditLine(at=now(), action="analyze", key_id="many", task_id=f"task {number}"))
    admin.open("audit", "?key=many")
    lines = admin.content.get_by_role("list").get_by_role("listitem")
    expect(lines.nth(99)).to_be_attached()
    lines.nth(99).scroll_into_view_if_needed()
    expect(lines.nth(199)).to_be_attached()
    admin.page.keyboard.press("End")
    expect(lines).to_have_count(220)
    expect(admin.content).to_contain_text("This is the oldest line")
    lines.nth(219).locator("summary").click()
    lines.nth(219).get_by_role("button", name="All of this task").click()
    expect(lines).to_have_count(1)
    admin.page.go_back()
    expect(lines.nth(99)).to_be_attached()


def test_nothing_is_found_in_the_pages_of_the_server(
    admin: Administrator, stack: Stack, receiver: Receiver
) -> None:
    added = stack.client().post(
        "/webhooks", url=receiver.url, secret=receiver.secret, events=["task.ended"]
    )
    receiver.status = 500
    give_up(stack, receiver.url, count=1)
    admin.open("machines")
    try:
        for section in SECTIONS:
            admin.go_to(section)
            expect(admin.content.locator(".wait")).to_have_count(0)
            if section == "Webhooks":
                admin.content.get_by_text("1 message given up").click()
            if section == "Audit log":
                admin.content.locator("summary").first.click()
            assert findings(admin.page, crosswise=True) == []
        admin.go_to("Keys")
        admin.page.set_viewport_size(PHONE)
        assert blocked(admin.page) == []
        admin.press("Create a key")
        assert findings(admin.page, crosswise=True) == []
    finally:
        stack.client().http.delete(f"/webhooks/{added.json()['id']}")
