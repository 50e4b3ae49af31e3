"""What cannot be fetched or imported skips a test on a desk, and fails it in CI."""

from __future__ import annotations

import pytest

from shared.models.registry_packages import FetchFailed
from tests.support.skip_or_fail import fetched_or_skipped, import_studio


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_what_cannot_be_fetched_skips_a_test_and_in_ci_fails_it(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no network"), fetched_or_skipped():
        raise FetchFailed("no network")


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", ModuleNotFoundError)]
)
def test_a_missing_studio_module_skips_a_test_and_in_ci_fails_it(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome):
        import_studio("no_such_module")
