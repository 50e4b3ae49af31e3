"""Reads /metrics as Prometheus does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.stack import Client


class Scrape:
    """Everything that one API process says at one moment."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = list(families)

    @classmethod
    def of(cls, client: Client) -> Scrape:
        answer = httpx.get(f"{client.url}/metrics")
        assert answer.status_code == 200
        return cls(text_string_to_metric_families(answer.text))

    def value(self, name: str, **labels: str) -> float:
        """Sum of the samples of this name that have these labels."""
        found = [value for has, value in self.samples(name) if labels.items() <= has.items()]
        assert found, f"{name}{labels} is not exported"
        return sum(found)

    def samples(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        for family in self.families:
            for sample in family.samples:
                if sample.name == name:
                    yield sample.labels, sample.value

    @property
    def names(self) -> set[str]:
        """Names of samples, as PromQL knows them."""
        return {sample.name for family in self.families for sample in family.samples}
