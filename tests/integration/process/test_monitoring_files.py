"""The page, the alerts and the dashboard name what /metrics exports, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from api.app import provide
from api.monitoring.request_log import ProcessMetrics
from api.monitoring.shared_metrics import SharedMetrics
from api.watch.status import WatchServices
from shared.domain import ModelKind
from shared.redis import heartbeats
from shared.redis.heartbeats import Heartbeat, HeldModel
from shared.settings import Settings
from tests.support.monitoring.promtool import promtool
from tests.support.monitoring.scrape import Scrape

PROJECT = Path(__file__).resolve().parents[3]
PAGE = PROJECT / "docs" / "operate" / "monitoring.md"
PROMETHEUS = PROJECT / "deploy" / "prometheus"
DASHBOARD = PROJECT / "deploy" / "grafana" / "dashboards" / "rushes.json"
# What is no metric of ours in an expression: functions, operators, words; `up` is Prometheus' own.
_WORDS = set(
    "sum max min avg count topk rate increase delta histogram_quantile absent by without on and or "
    "unless group_left ignoring up".split()
)


@pytest.fixture
def services(redis_url: str, tmp_path: Path) -> Iterator[WatchServices]:
    environ = {"RUSHES_REDIS_URL": redis_url, "RUSHES_STATE_DIR": str(tmp_path)}
    services = provide(Settings.from_env(environ)).get(WatchServices)
    yield services
    services.redis.close()


@pytest.fixture
def exported(services: WatchServices) -> Scrape:
    """All that is exported once everything has happened that adds a label."""
    held = (HeldModel(ModelKind.VISUAL, "conse-lite0", 5),)
    beat = Heartbeat(name="w", kind="analysis", host="h", pid=1, started_at=0.0, held=held)
    heartbeats.publish(services.redis, services.settings.instance, beat)
    own = ProcessMetrics()
    own.registry.register(SharedMetrics(services))
    own.observe("POST", "/api/v1/search/text", 200, 0.01, None)
    return Scrape(own.registry.collect())


def rows() -> dict[str, tuple[str, set[str], str]]:
    """Name -> type, labels and of whom, from the page's table."""
    cells = re.findall(
        r"^\| `(\w+)` \| (gauge|counter|histogram) \| ([\w, ]*) ?\| (shared|process) \| .+ \|$",
        PAGE.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    return {name: (kind, set(re.findall(r"\w+", labels)), of) for name, kind, labels, of in cells}


def test_the_page_lists_every_metric_with_type_and_labels_and_no_other(
    exported: Scrape, services: WatchServices
) -> None:
    shared = {family.name for family in SharedMetrics(services).collect()}
    found = {}
    for family in exported.families:
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        whose = "shared" if family.name in shared else "process"
        found[name] = (family.type, labels, whose)
    assert rows() == found


def test_promtool_finds_nothing_to_mend_in_what_is_exported(services: WatchServices) -> None:
    own = ProcessMetrics()
    own.registry.register(SharedMetrics(services))
    own.observe("POST", "/api/v1/search/text", 200, 0.01, "NoWorker")
    checked = promtool("check", "metrics", text=generate_latest(own.registry).decode())
    assert (checked.returncode, checked.stderr) == (0, "")


def test_no_series_holds_what_clients_can_make_up(services: WatchServices) -> None:
    own = ProcessMetrics()
    own.observe("BREW", "", 404, 0.01, "NotFound")
    [(labels, _)] = Scrape(own.registry.collect()).samples("rushes_http_requests_total")
    assert labels == {"method": "other", "route": "unmatched", "status": "404"}


def dashboard_expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [
        target["expr"].replace("$__rate_interval", "5m")
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]


def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def metrics_in(expression: str) -> set[str]:
    """The names of metrics in an expression."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(by|without|on|ignoring) \([^)]*\)", " ", bare)
    return {word for word in re.findall(r"\b[a-zA-Z_]\w*\b", bare) if word not in _WORDS}


def test_every_expression_of_the_dashboard_is_promql_and_names_exported_metrics(
    exported: Scrape, tmp_path: Path
) -> None:
    expressions = dashboard_expressions()
    assert len(expressions) > 30
    named = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(expressions)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": named}]}))
    checked = promtool("check", "rules", "--lint=none", str(path))
    assert checked.returncode == 0, checked.stderr
    for expression in expressions:
        found = metrics_in(expression)
        assert found <= exported.names, f"{found - exported.names} in {expression}"
        assert found or "up{" in expression, expression


def test_the_dashboard_shows_every_metric_of_ours(exported: Scrape) -> None:
    shown = {name for text in dashboard_expressions() for name in metrics_in(text)}
    stems = {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in shown}
    ours = {family.name for family in exported.families if family.name.startswith("rushes_")}
    assert ours - stems == set()


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        (panel["gridPos"]["x"] + dx, panel["gridPos"]["y"] + dy)
        for panel in panels
        for dx in range(panel["gridPos"]["w"])
        for dy in range(panel["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24


def test_alerts_name_exported_metrics_and_the_page_lists_them(exported: Scrape) -> None:
    for alert in alerts():
        found = metrics_in(alert["expr"])
        assert found <= exported.names, f"{found - exported.names} in {alert['alert']}"
    listed = re.findall(r"^\| `(Rushes\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [alert["alert"] for alert in alerts()]


def test_promtool_finds_nothing_wrong_with_configuration_and_rules() -> None:
    for words in (("config", "prometheus.yml"), ("rules", "rules.yml")):
        checked = promtool("check", words[0], str(PROMETHEUS / words[1]))
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    tested = promtool("test", "rules", str(PROMETHEUS / "rules_test.yml"))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_file_that_grafana_is_given_is_where_the_next_one_looks() -> None:
    folder = PROJECT / "deploy" / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())
    dashboards = yaml.safe_load((folder / "dashboards" / "rushes.yml").read_text())
    [source], [provider] = sources["datasources"], dashboards["providers"]
    assert source["type"] == "prometheus"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    [variable] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
