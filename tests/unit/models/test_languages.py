"""What clients may write as a language."""

from __future__ import annotations

import pytest

from shared.errors import BadInput
from shared.models.languages import CODES, language_code, language_name


def test_every_code_and_its_name_mean_itself_in_any_case() -> None:
    assert len(CODES) == 100
    for code in CODES:
        for text in (code, code.upper(), language_name(code), f" {language_name(code).title()} "):
            assert language_code(text) == code


@pytest.mark.parametrize("text", [None, "auto", "AUTO"])
def test_nothing_and_auto_mean_detect(text: str | None) -> None:
    assert language_code(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [("en-US", "en"), ("zh_Hant_TW", "zh"), ("deu", "de"), ("ger", "de"), ("Mandarin", "zh")],
)
def test_tags_and_longer_codes_are_known(text: str, code: str) -> None:
    assert language_code(text) == code


def test_a_typo_is_named_with_what_was_meant() -> None:
    with pytest.raises(BadInput, match=r"jobs\[2\]: 'Englsh' is no .* Did you mean 'english'\?"):
        language_code("Englsh", "jobs[2]")


@pytest.mark.parametrize("text", ["", " ", "klingon", "e", "en-", "-en", "en us", "k" * 5_000_000])
def test_anything_else_is_refused_in_a_short_sentence(text: str) -> None:
    with pytest.raises(BadInput, match=r"^language: .*\.$") as refusal:
        language_code(text)
    assert len(refusal.value.message) < 250
