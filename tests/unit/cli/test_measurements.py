"""What a benchmark tells of its runs."""

from __future__ import annotations

from cli.benchmark import Measurement


def measured(*values: float, is_rate: bool = False) -> Measurement:
    measurement = Measurement("search", "ms", is_rate=is_rate)
    for value in values:
        measurement.add(value)
    return measurement


def test_the_first_run_is_told_apart_and_has_no_say_in_the_others() -> None:
    found = measured(900, 5, 7, 6)
    assert (found.first, found.median, found.values) == (900, 6, [5, 7, 6])


def test_nothing_is_made_up_where_nothing_was_measured() -> None:
    assert (measured().first, measured().median, measured().worst) == (None, None, None)
    assert (measured(3).first, measured(3).median) == (3, None)


def test_of_a_hundred_runs_five_may_be_worse_than_what_is_told_as_the_worst() -> None:
    times = measured(0, *range(101))
    assert (times.median, times.worst) == (50, 95)
    rates = measured(0, *range(101), is_rate=True)
    assert (rates.median, rates.worst) == (50, 5)
