"""A struct of options gives its fields, and their words, to structs that inherit another one."""

from __future__ import annotations

from msgspec import UNSET, Struct, json

from api.watch.copied_fields import all_optional, with_fields_of
from shared.fields import words_of


class Options(Struct, frozen=True, kw_only=True):
    sound: bool = True
    """Whether it is heard."""


class Keyed(Struct, kw_only=True):
    key: str | None = None


@with_fields_of(Options)
class Request(Keyed, kw_only=True):
    path: str
    """Where it is."""
    language: str | None = None


@all_optional("language", but=Keyed)
class Changes(Request, kw_only=True):
    """What changes."""


def test_fields_come_behind_the_structs_own_with_words_and_defaults() -> None:
    assert Request.__struct_fields__ == ("key", "path", "language", "sound")
    assert words_of(Request) == {"path": "Where it is.", "sound": "Whether it is heard."}
    assert json.decode('{"path": "/a"}', type=Request).sound is True


def test_changes_may_leave_everything_out_and_null_is_a_value_where_it_is_named() -> None:
    nothing, reset = json.decode('[{}, {"language": null}]', type=list[Changes])
    assert (nothing.path, nothing.sound, nothing.language) == (None, None, UNSET)
    assert reset.language is None
    assert words_of(Changes) == words_of(Request)
