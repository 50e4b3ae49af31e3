"""The bound on address space holds for every kind of process: other tests rely on it."""

from __future__ import annotations

import resource

import pytest

from tests.support.stack import ADDRESS_SPACE, Stack


@pytest.mark.timeout(180)
def test_each_process_starts_and_works_within_its_bound(bounded_stack: Stack) -> None:
    for kind in ("query", "analysis", "export"):
        bounded_stack.start_worker(kind)
    bounded_stack.start_api()
    bounded_stack.wait_ready(1, 1)
    for name, process in bounded_stack.processes.items():
        most, _ = resource.prlimit(process.popen.pid, resource.RLIMIT_AS)
        assert most == ADDRESS_SPACE[name.partition("-")[0]]
