"""Values that a schema of our OpenAPI document allows, for Hypothesis, and such that it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from tests.support.openapi_agreement import validator_of

Json = dict[str, Any]
Values = st.SearchStrategy[Any]
_MOST_ITEMS = 3
_LONGEST = 20_001  # longer ones are slow to check
_TEXT = st.text(max_size=12)
ANYTHING: Values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)


class SchemaValues:
    """`placed` gives the path on this machine of one that the document shows."""

    def __init__(self, placed: Callable[[str], str]) -> None:
        self._placed = placed

    def of(self, schema: Json) -> Values:
        """Values of a schema that holds no `$ref`."""
        kinds = schema.get("anyOf") or schema.get("allOf")
        if kinds:
            return st.one_of([self.of(kind) for kind in kinds])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        found: Values = getattr(self, f"_{schema['type']}")(schema)
        return st.none() | found if schema.get("nullable") else found

    def _object(self, schema: Json) -> Values:
        fields = {name: self.of(field) for name, field in schema.get("properties", {}).items()}
        required = {name: fields.pop(name) for name in schema.get("required", ())}
        return st.fixed_dictionaries(required, optional=fields)

    def _array(self, schema: Json) -> Values:
        least = schema.get("minItems", 0)
        most = min(schema.get("maxItems", _MOST_ITEMS), max(least, _MOST_ITEMS))
        return st.lists(self.of(schema["items"]), min_size=least, max_size=most)

    def _string(self, schema: Json) -> Values:
        example = schema.get("example")
        if str(example).startswith("/"):
            return st.just(self._placed(str(example)))
        if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        text = st.text(min_size=schema.get("minLength", 0), max_size=12)
        return text if example is None else st.just(example) | text

    def _integer(self, schema: Json) -> Values:
        return st.integers(schema.get("minimum"), schema.get("maximum"))

    def _number(self, schema: Json) -> Values:
        return st.floats(
            schema.get("minimum"),
            schema.get("maximum"),
            exclude_min=schema.get("exclusiveMinimum", False),
            allow_nan=False,
            allow_infinity=False,
        )

    def _boolean(self, _schema: Json) -> Values:
        return st.booleans()


def wrong_values(schema: Json, good: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Values with one fault each, next to `good`, and the place of the fault in them.

    Another type, null and nothing where one is required, and the next value beyond each bound.
    """
    yield place, _of_another_type(schema)
    # An object that may be null is written as a choice of two.
    schema = next((one for one in schema.get("anyOf", ()) if "properties" in one), schema)
    yield from _beyond_bounds(schema, good, place)
    if isinstance(good, list) and good and "items" in schema:
        entry = f"{place}[0]"
        if not _is_valid(schema["items"], None):
            yield entry, [None]
        for inner, wrong in wrong_values(schema["items"], good[0], entry):
            yield inner, [wrong, *good[1:]]
    if isinstance(good, dict):
        yield from _wrong_fields(schema, good, f"{place}." if place else "")


def _wrong_fields(schema: Json, good: Json, prefix: str) -> Iterator[tuple[str, Json]]:
    for name, field in schema.get("properties", {}).items():
        if name in schema.get("required", ()):
            yield prefix + name, {key: value for key, value in good.items() if key != name}
            if not _is_valid(field, None):
                yield prefix + name, {**good, name: None}
            if field.get("minLength"):
                yield prefix + name, {**good, name: ""}
        for place, wrong in wrong_values(field, good.get(name, field["example"]), prefix + name):
            yield place, {**good, name: wrong}


def _of_another_type(schema: Json) -> Any:
    return next(value for value in ({}, ["x"], True) if not _is_valid(schema, value))


def _is_valid(schema: Json, value: Any) -> bool:
    return bool(validator_of(schema).is_valid(value))


def _beyond_bounds(schema: Json, good: Any, place: str) -> Iterator[tuple[str, Any]]:
    if "minimum" in schema:
        yield place, schema["minimum"] - (not schema.get("exclusiveMinimum"))
    if "maximum" in schema:
        yield place, schema["maximum"] + 1
    if schema.get("maxLength", _LONGEST) < _LONGEST:
        yield place, (good or "x")[0] * (schema["maxLength"] + 1)
    if "enum" in schema:
        yield place, "nonsense"
    if schema.get("minItems"):
        yield place, (good or [])[: schema["minItems"] - 1]
    if schema.get("maxItems", _LONGEST) < _LONGEST and good:
        yield place, good[:1] * (schema["maxItems"] + 1)
